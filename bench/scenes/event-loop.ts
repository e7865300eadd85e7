import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { atATime, bringUp, takeDown } from '../pods.ts';
import type { Stage } from '../scene.ts';
import type { Bench } from '../sides.ts';
import { add } from '../times.ts';

const PODS = 30;
const WIDTH = 5;

/**
 * How late cristal's event loop turns, by its own metrics, for which it starts anew: they are off otherwise,
 * and would weigh on the other figures.
 */
export async function eventLoop(stage: Stage, { sides, cristal, ...bench }: Bench): Promise<void> {
  const socketPath = join(cristal.dir, 'metrics.sock');
  const { runtime } = sides.cristal.client;
  await sides.cristal.halt();
  appendFileSync(cristal.configFile, `[metrics]\naddress = ${JSON.stringify(socketPath)}\n`);
  await sides.cristal.resume();
  const look = async (doing: string): Promise<void> => {
    const metrics = await scrape(socketPath);
    for (const name of ['p50', 'p99', 'max']) {
      const value = metrics.get(`nodejs_eventloop_lag_${name}_seconds`) ?? Number.NaN;
      add(stage.times.cristal, `event loop, ${name} ${doing}`, 1000 * value);
    }
  };
  await scrape(socketPath); // what was until now is no part of it
  for (let second = 0; second < stage.rounds(10); second++) {
    await runtime.listPodSandbox({});
    await runtime.listContainers({});
    await runtime.listContainerStats({});
    await sleep(1000);
  }
  await look('of lists each second');
  const wishes = Array.from({ length: PODS }, (_, place) => ({
    side: 'cristal' as const,
    name: `busy-${place}`,
  }));
  const all = { ...bench, sides, cristal };
  await atATime(wishes, WIDTH, async (wish) => takeDown(all, wish, await bringUp(all, wish)));
  await look(`of ${WIDTH} pods at a time, up and down`);
}

/** Metrics without labels, by name. */
async function scrape(socketPath: string): Promise<Map<string, number>> {
  const [response] = (await once(request({ socketPath, path: '/metrics' }).end(), 'response')) as [
    IncomingMessage,
  ];
  const samples = (await text(response)).matchAll(/^(\w+) (\S+)$/gm);
  return new Map([...samples].map(([, name = '', value]) => [name, Number(value)]));
}

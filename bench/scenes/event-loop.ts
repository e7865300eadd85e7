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
/** So often cristal's metrics look at the clock, and what they tell is the time from one look to the next. */
const PERIOD_MS = 50;

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
      const turn = metrics.get(`nodejs_eventloop_lag_${name}_seconds`) ?? Number.NaN;
      const late = Math.max(0, 1000 * turn - PERIOD_MS);
      add(stage.times.cristal, `event loop late, ${doing}, ${name}`, late);
    }
  };
  await scrape(socketPath); // what was until now is no part of it
  for (let second = 0; second < stage.rounds(10); second++) {
    await runtime.listPodSandbox({});
    await runtime.listContainers({});
    await runtime.listContainerStats({});
    await sleep(1000);
  }
  await look('lists each second');
  const wishes = Array.from({ length: PODS }, (_, place) => ({
    side: 'cristal' as const,
    name: `busy-${place}`,
  }));
  const all = { ...bench, sides, cristal };
  await atATime(wishes, WIDTH, async (wish) => takeDown(all, wish, await bringUp(all, wish)));
  await look(`${WIDTH} pods at a time`);
}

/** Metrics without labels, by name. */
async function scrape(socketPath: string): Promise<Map<string, number>> {
  const [response] = (await once(request({ socketPath, path: '/metrics' }).end(), 'response')) as [
    IncomingMessage,
  ];
  const samples = (await text(response)).matchAll(/^(\w+) (\S+)$/gm);
  return new Map([...samples].map(([, name = '', value]) => [name, Number(value)]));
}

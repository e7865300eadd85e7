import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { need, tools } from '../../test/fixtures/tools.ts';
import type { Pod } from '../pods.ts';
import { bringUp } from '../pods.ts';
import { cpuMs, forgetPeak, peakMiB } from '../process-figures.ts';
import type { Scene, Turn } from '../scene.ts';
import { inTurns } from '../scene.ts';
import type { Bench, Side, SideName } from '../sides.ts';
import { add, timed } from '../times.ts';

const MIB = 512;
const SIZE = MIB * 2 ** 20;
const PORT = 9_000;
const SEND = ['dd', 'if=/dev/zero', 'bs=1M', `count=${MIB}`];
const TRANSPORTS = ['spdy', 'websocket'] as const;

/** Whom crictl asks, and how. */
interface Target extends Pod {
  readonly side: Side;
  readonly transport: (typeof TRANSPORTS)[number];
  /** A file of that many zeros. */
  readonly zeros: string;
}

type Time = (act: () => Promise<void>) => Promise<void>;

export const streams: Scene = {
  name: 'streams',
  what: `${MIB} MiB out of a container and into one, by exec and by port-forward. The client is crictl for both.`,
  async play(stage, bench) {
    const zeros = join(bench.dir, 'zeros');
    writeFileSync(zeros, '');
    truncateSync(zeros, SIZE);
    // Its one container sends the bytes to whoever connects to its port.
    const command = ['nc', '-ll', '-p', String(PORT), '-e', ...SEND];
    const pod = async (side: SideName) => await bringUp(bench, { side, name: 'target', command });
    const pods = { cristal: await pod('cristal'), builtin: await pod('builtin') };
    const failures = new Map<string, string[]>();
    await inTurns(stage, { rounds: 5, warmUp: 1 }, (turn) => eachWay(bench, turn, { pods, zeros, failures }));
    for (const [what, reasons] of failures) {
      stage.note(`${what} failed ${reasons.length} times, which have no figure: ${reasons[0]}.`);
    }
  },
};

const WAYS: Record<string, (target: Target, time: Time) => Promise<void>> = {
  'exec out': (target, time) => time(() => execOut(target)),
  'exec in': (target, time) => time(() => execIn(target)),
  'port-forward out': portForward,
};

interface Given {
  readonly pods: Readonly<Record<SideName, Pod>>;
  readonly zeros: string;
  readonly failures: Map<string, string[]>;
}

async function eachWay(bench: Bench, { side: name, times }: Turn, given: Given): Promise<void> {
  const { pods, zeros, failures } = given;
  const side = bench.sides[name];
  for (const transport of TRANSPORTS) {
    const target: Target = { ...pods[name], side, transport, zeros };
    for (const [way, run] of Object.entries(WAYS)) {
      const label = `${way}, ${transport}`;
      forgetPeak(side.pid());
      const before = cpuMs(side.pid());
      try {
        await run(target, (act) => timed(times[name], label, act));
      } catch (error) {
        if (side.pid() === 0) throw error; // the run is being stopped
        const key = `${name}: ${label}`;
        failures.set(key, [...(failures.get(key) ?? []), String(error)]);
        continue;
      }
      add(times[name], `processor time, ${label}`, cpuMs(side.pid()) - before);
      add(times[name], 'peak RSS, streams', peakMiB(side.pid()));
    }
  }
}

/** Starts crictl. What it prints comes on a pipe or goes nowhere; its complaints come on a pipe. */
function crictl(
  { side, transport }: Target,
  [command = '', ...args]: string[],
  stdio: [number | 'ignore', 'pipe' | 'ignore'],
): ChildProcess {
  const endpoint = `unix://${side.address}`;
  const base = ['--config', '/dev/null', '-r', endpoint, '-i', endpoint, command, '--transport', transport];
  return spawn(need(tools.crictl, 'crictl'), [...base, ...args], { stdio: [...stdio, 'pipe'] });
}

async function execOut(target: Target): Promise<void> {
  const args = ['exec', target.containerId, ...SEND, 'status=none'];
  await finish(crictl(target, args, ['ignore', 'ignore']));
}

async function execIn(target: Target): Promise<void> {
  const sink = ['sh', '-c', 'dd of=/dev/null bs=1M iflag=fullblock 2>&1; true'];
  const fd = openSync(target.zeros, 'r');
  const child = crictl(target, ['exec', '-i', target.containerId, ...sink], [fd, 'pipe']);
  closeSync(fd);
  const said = await finish(child);
  // The built-in CRI now and then ends the input long before its end, and says that all is well.
  if (!said.includes(`${MIB}+0 records in`)) throw new Error(`input was cut off: ${said}`);
}

/** Only the transfer is timed, with the connection to the pod's server. */
async function portForward(target: Target, time: Time): Promise<void> {
  const child = crictl(target, ['port-forward', target.podSandboxId, `:${PORT}`], ['ignore', 'pipe']);
  try {
    const port = await localPort(child);
    await time(() => readAll(port));
  } finally {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

/** The port that crictl says it listens on. */
async function localPort({ stdout }: ChildProcess): Promise<number> {
  if (stdout) {
    for await (const line of createInterface(stdout)) {
      const port = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) return Number(port);
    }
  }
  throw new Error('crictl port-forward ended before it listened');
}

async function readAll(port: number): Promise<void> {
  let bytes = 0;
  const count = (size: number): boolean => {
    bytes += size;
    return true;
  };
  const buffer = Buffer.allocUnsafe(256 * 1024);
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: count } });
  await once(socket, 'close');
  if (bytes !== SIZE) throw new Error(`${bytes} bytes came, of ${MIB} MiB`);
}

/** Waits for the end, and returns what it printed. Throws if it failed. */
async function finish(child: ChildProcess): Promise<string> {
  const texts = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (texts[0] += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (texts[1] += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`exit code ${code}: ${texts[1]?.trim()}`);
  return texts[0] ?? '';
}

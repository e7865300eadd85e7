// How long 512 MiB take out of a container and into one: by exec and by port-forward, over SPDY and over
// WebSocket, through cristal and through containerd's built-in CRI in turn. The client is crictl for both.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { need, tools } from '../test/fixtures/tools.ts';
import type { Bench, Side, SideName } from './sides.ts';
import { cpuMs, forgetPeak, peakMiB, podOf, SIDES, startSides } from './sides.ts';
import type { Times } from './times.ts';
import { noTimes, printTable, timed } from './times.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
/** Only rows whose name contains it. */
const ONLY = process.argv[3] ?? '';
/** More options for cristal's node, such as --cpu-prof. */
const NODE_OPTIONS = process.env['CRISTAL_NODE_OPTIONS'] ?? '';

const WARM_UP = 1;
const MIB = 512;
const SIZE = MIB * 2 ** 20;
const PORT = 9_000;
const SEND = ['dd', 'if=/dev/zero', 'bs=1M', `count=${MIB}`];

type Transport = 'spdy' | 'websocket';

interface Target extends Side {
  readonly podId: string;
  readonly containerId: string;
}

/** A pod whose one container sends the bytes to whoever connects to its port. */
async function startTarget(bench: Bench, name: SideName): Promise<Target> {
  const side = bench.sides[name];
  const { runtime } = side.client;
  const serve = ['nc', '-ll', '-p', String(PORT), '-e', ...SEND];
  const { config, container } = podOf(bench, 'target', serve);
  const { podSandboxId } = await runtime.runPodSandbox({ config });
  const request = { podSandboxId, config: container, sandboxConfig: config };
  const { containerId } = await runtime.createContainer(request);
  await runtime.startContainer({ containerId });
  return { ...side, podId: podSandboxId, containerId };
}

/** Starts crictl. What it prints comes on a pipe or goes nowhere; its complaints come on a pipe. */
function crictl({ address }: Side, args: string[], stdio: [number | 'ignore', 'pipe' | 'ignore']) {
  const endpoint = `unix://${address}`;
  const base = ['--config', '/dev/null', '-r', endpoint, '-i', endpoint];
  return spawn(need(tools.crictl, 'crictl'), [...base, ...args], { stdio: [...stdio, 'pipe'] });
}

async function execOut(target: Target, transport: Transport): Promise<void> {
  const args = ['exec', '--transport', transport, target.containerId, ...SEND, 'status=none'];
  await finish(crictl(target, args, ['ignore', 'ignore']));
}

async function execIn(target: Target, transport: Transport): Promise<void> {
  const sink = ['sh', '-c', 'dd of=/dev/null bs=1M iflag=fullblock 2>&1; true'];
  const args = ['exec', '-i', '--transport', transport, target.containerId, ...sink];
  const fd = openSync(zeros, 'r');
  const child = crictl(target, args, [fd, 'pipe']);
  closeSync(fd);
  const said = await finish(child);
  // The built-in CRI now and then ends the input long before its end, and says that all is well.
  if (!said.includes(`${MIB}+0 records in`)) throw new Error(`input was cut off: ${said}`);
}

/** Only the transfer is timed, with the connection to the pod's server. */
async function portForward(
  target: Target,
  transport: Transport,
  time: (act: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const args = ['port-forward', '--transport', transport, target.podId, `:${PORT}`];
  const child = crictl(target, args, ['ignore', 'pipe']);
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

/** All rows of one round for one side. A run that fails has no time. */
async function oneRound(name: SideName, target: Target, all: Times): Promise<void> {
  for (const transport of ['spdy', 'websocket'] as const) {
    const rows: Record<string, (label: string) => Promise<void>> = {
      'exec, out': (label) => timed(all[name], label, () => execOut(target, transport)),
      'exec, in': (label) => timed(all[name], label, () => execIn(target, transport)),
      'port-forward, out': (label) => portForward(target, transport, (act) => timed(all[name], label, act)),
    };
    for (const [what, run] of Object.entries(rows)) {
      const label = `${what}, ${transport}`;
      if (!label.includes(ONLY)) continue;
      forgetPeak(target.pid());
      const before = cpuMs(target.pid());
      try {
        await run(label);
        cpu[name].set(label, [...(cpu[name].get(label) ?? []), cpuMs(target.pid()) - before]);
      } catch (error) {
        const key = `${name}: ${label}`;
        failures.set(key, [...(failures.get(key) ?? []), String(error)]);
      }
      peak[name].set(label, [...(peak[name].get(label) ?? []), peakMiB(target.pid())]);
    }
  }
}

const failures = new Map<string, string[]>();
/** What cristal, and beside it the whole of containerd, needed: processor time and memory. */
const cpu = noTimes();
const peak = noTimes();
await using bench = await startSides(NODE_OPTIONS === '' ? {} : { NODE_OPTIONS });
const zeros = join(bench.dir, 'zeros');
writeFileSync(zeros, '');
truncateSync(zeros, SIZE);
const targets = {
  cristal: await startTarget(bench, 'cristal'),
  builtin: await startTarget(bench, 'builtin'),
};
const times = noTimes();
for (let round = 0; round < ROUNDS + WARM_UP; round++) {
  const kept = round < WARM_UP ? noTimes() : times;
  for (const side of SIDES) await oneRound(side, targets[side], kept);
}
printTable(`${MIB} MiB, median of ${ROUNDS} rounds, ms`, times);
printTable('\nprocessor time of the server, ms', cpu);
printTable('\npeak memory of the server, MiB', peak);
for (const [what, reasons] of failures) {
  process.stdout.write(`${what}: failed ${reasons.length} times of ${ROUNDS + WARM_UP}: ${reasons[0]}\n`);
}

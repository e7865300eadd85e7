import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MASKED_PATHS, READONLY_PATHS } from '../src/spec/paths.ts';
import { createCni } from '../test/fixtures/cni.ts';
import { startContainerd } from '../test/fixtures/containerd.ts';
import type { CriClient } from '../test/fixtures/cri-client.ts';
import { createCriClient } from '../test/fixtures/cri-client.ts';
import { startCristal } from '../test/fixtures/cristal.ts';
import { busyboxImage, pushImage } from '../test/fixtures/images.ts';
import { startRegistry } from '../test/fixtures/registry.ts';
import { removeScratch, scratchDir } from '../test/fixtures/scratch.ts';

/** Who is compared, in the order of their turns. */
export const SIDES = ['cristal', 'builtin'] as const;

export type SideName = (typeof SIDES)[number];

/** One CRI server with the busybox image pulled. */
export interface Side {
  /** Path of the CRI socket. */
  readonly address: string;
  readonly client: CriClient;
  /** Of the process that serves CRI: for the built-in one that is containerd's. */
  readonly pid: number;
}

export interface Bench extends AsyncDisposable {
  readonly sides: Readonly<Record<SideName, Side>>;
  /** Reference of a busybox that sleeps. */
  readonly image: string;
  /** A directory for container logs and whatever else is needed. */
  readonly dir: string;
}

/** For each side, what was measured of each row: milliseconds, mostly. */
export type Times = Record<SideName, Map<string, number[]>>;

/**
 * cristal on a containerd of its own, and beside it a second containerd of the same version that serves
 * CRI itself. Disposing removes every trace. `cristalEnv` is more environment for cristal.
 */
export async function startSides(cristalEnv: Record<string, string> = {}): Promise<Bench> {
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(scratchDir('bench'), removeScratch);
  mkdirSync(join(dir, 'logs'));
  const registry = started.use(await startRegistry());
  const { certsDir } = registry;
  const image = `${registry.host}/busybox:1`;
  await pushImage(registry.url, 'busybox', '1', await busyboxImage({ config: { Cmd: ['sleep', '3600'] } }));

  const { confDir: cniConfDir } = started.use(createCni());
  const builtin = started.use(
    await startContainerd({ version: '2.3', cri: true, cniConfDir, certsDir, pauseImage: image }),
  );
  const cni = started.use(createCni());
  const containerd = started.use(await startContainerd({ version: '2.3' }));
  const cristal = started.use(await startCristal({ containerd, cni, certsDir, env: cristalEnv }));

  const side = (server: { address: string; pid(): number }): Side => ({
    address: server.address,
    client: started.use(createCriClient(server.address)),
    pid: server.pid(),
  });
  const sides = { cristal: side(cristal), builtin: side(builtin) };
  for (const { client } of Object.values(sides)) await client.image.pullImage({ image: { image } });
  const all = started.move();
  return { sides, image, dir, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** A pod and its one container, as requests for it, with what the kubelet hides and protects in /proc. */
export function podOf({ image, dir }: Pick<Bench, 'image' | 'dir'>, name: string, command: string[]) {
  const namespaceOptions = { pid: 'CONTAINER' as const };
  return {
    config: {
      metadata: { name, namespace: 'bench', uid: name, attempt: 0 },
      hostname: name,
      logDirectory: join(dir, 'logs'),
      linux: { securityContext: { namespaceOptions } },
    },
    container: {
      metadata: { name: 'main', attempt: 0 },
      image: { image },
      command,
      logPath: `${name}.log`,
      linux: {
        securityContext: {
          namespaceOptions,
          maskedPaths: [...MASKED_PATHS],
          readonlyPaths: [...READONLY_PATHS],
        },
      },
    },
  };
}

export function noTimes(): Times {
  return { cristal: new Map(), builtin: new Map() };
}

/** Does something, and adds how long it took. */
export async function timed<T>(
  times: Map<string, number[]>,
  label: string,
  act: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const result = await act();
  times.set(label, [...(times.get(label) ?? []), performance.now() - start]);
  return result;
}

/** Processor time that a process has used so far, in milliseconds; the kernel counts in hundredths of a second. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return 10 * (Number(user) + Number(system));
}

/** The most memory that a process had in RAM since it began or `forgetPeak`, in MiB. */
export function peakMiB(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/**
 * Medians of both sides and their ratio; a side that has none gets a dash. `more` is put behind each row,
 * and behind the title, for which it gets ''.
 */
export function printTable(title: string, times: Times, more: (label: string) => string = () => ''): void {
  const lines = [`${title.padEnd(36)}   cristal  containerd 2.3 CRI   ratio${more('')}`];
  for (const label of new Set(SIDES.flatMap((side) => [...times[side].keys()]))) {
    const [ours, theirs] = [median(times.cristal.get(label) ?? []), median(times.builtin.get(label) ?? [])];
    const cells = cell(ours, 1, 10) + cell(theirs, 1, 20) + cell(ours / theirs, 2, 8);
    lines.push(`${label.padEnd(36)}${cells}${more(label)}`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

function cell(value: number, digits: number, width: number): string {
  return (Number.isNaN(value) ? '-' : value.toFixed(digits)).padStart(width);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

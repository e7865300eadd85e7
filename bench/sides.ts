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
  /** Of the process that serves CRI now: for the built-in one that is containerd's. */
  pid(): number;
  /** Ends it in an orderly way, while pods go on, and starts it again. Resolves when it answers. */
  halt(): Promise<void>;
  resume(): Promise<void>;
}

export interface Bench extends AsyncDisposable {
  readonly sides: Readonly<Record<SideName, Side>>;
  /** Reference of a busybox that sleeps. */
  readonly image: string;
  /** A directory for container logs and whatever else is needed. */
  readonly dir: string;
}

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

  const { confDir: cniConfDir } = started.use(createCni({ wide: true }));
  const builtin = started.use(
    await startContainerd({ version: '2.3', cri: true, cniConfDir, certsDir, pauseImage: image }),
  );
  const cni = started.use(createCni({ wide: true }));
  const containerd = started.use(await startContainerd({ version: '2.3' }));
  const cristal = started.use(
    await startCristal({ containerd, cni, certsDir, logLevel: 'info', env: cristalEnv }),
  );

  const side = (server: Pick<Side, 'address' | 'pid' | 'resume'>, halt: () => Promise<unknown>): Side => ({
    address: server.address,
    client: started.use(createCriClient(server.address)),
    pid: () => server.pid(),
    halt: async () => void (await halt()),
    resume: () => server.resume(),
  });
  const sides = {
    cristal: side(cristal, () => cristal.terminate()),
    builtin: side(builtin, () => builtin.halt()),
  };
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

/** What a process has in RAM, in MiB: all of it, and with what it shares divided among those who do. */
export function memoryMiB(pid: number): { rss: number; pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  return { rss: kib('Rss') / 1024, pss: kib('Pss') / 1024 };
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

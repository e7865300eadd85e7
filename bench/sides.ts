import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PrivateCni } from '../test/fixtures/cni.ts';
import { createCni } from '../test/fixtures/cni.ts';
import type { PrivateContainerd } from '../test/fixtures/containerd.ts';
import { startContainerd } from '../test/fixtures/containerd.ts';
import type { CriClient } from '../test/fixtures/cri-client.ts';
import { createCriClient } from '../test/fixtures/cri-client.ts';
import type { PrivateCristal } from '../test/fixtures/cristal.ts';
import { startCristal } from '../test/fixtures/cristal.ts';
import { busyboxImage, pushImage } from '../test/fixtures/images.ts';
import type { PrivateRegistry } from '../test/fixtures/registry.ts';
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
  /** Starts the shims; it serves CRI itself on the one side, and stands below cristal on the other. */
  readonly containerd: PrivateContainerd;
  /** Of the process that serves CRI now. */
  readonly pid: () => number;
  /** Ends it in an orderly way, while pods go on, and starts it again. Resolves when it answers. */
  readonly halt: () => Promise<void>;
  readonly resume: () => Promise<void>;
}

export interface Bench extends AsyncDisposable {
  readonly sides: Readonly<Record<SideName, Side>>;
  /** Reference of a busybox that sleeps. */
  readonly image: string;
  /** A directory for container logs and whatever else is needed. */
  readonly dir: string;
  readonly registry: PrivateRegistry;
  readonly cristal: PrivateCristal;
  /** The network of cristal's pods. */
  readonly cni: PrivateCni;
}

/** More options for cristal's node, such as --cpu-prof. */
const NODE_OPTIONS = process.env['CRISTAL_NODE_OPTIONS'];

/**
 * cristal on a containerd of its own, and beside it a second containerd of the same version that serves
 * CRI itself. Disposing removes every trace.
 */
export async function startSides(): Promise<Bench> {
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(scratchDir('bench'), removeScratch);
  mkdirSync(join(dir, 'logs'));
  const registry = started.use(await startRegistry());
  const { certsDir } = registry;
  const image = `${registry.host}/busybox:1`;
  await pushImage(registry.url, 'busybox', '1', await busyboxImage({ config: { Cmd: ['sleep', '3600'] } }));

  // As on a node: what a reboot may take is in memory, the rest on a disk, and containerd says what it says there.
  const common = { version: '2.3', logLevel: 'info', stateInMemory: true } as const;
  const { confDir: cniConfDir } = started.use(createCni({ wide: true }));
  const full = { ...common, cri: true, cniConfDir, certsDir, pauseImage: image };
  const builtin = started.use(await startContainerd(full));
  const cni = started.use(createCni({ wide: true }));
  const containerd = started.use(await startContainerd(common));
  const env = NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS };
  const cristal = started.use(await startCristal({ ...common, containerd, cni, certsDir, env }));

  const side = (server: PrivateContainerd | PrivateCristal, below: PrivateContainerd): Side => ({
    address: server.address,
    client: started.use(createCriClient(server.address)),
    containerd: below,
    pid: () => server.pid(),
    halt: async () => void (await ('halt' in server ? server.halt() : server.terminate())),
    resume: () => server.resume(),
  });
  const sides = { cristal: side(cristal, containerd), builtin: side(builtin, builtin) };
  for (const { client } of Object.values(sides)) await client.image.pullImage({ image: { image } });
  const all = started.move();
  return { sides, image, dir, registry, cristal, cni, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

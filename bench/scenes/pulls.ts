import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import type { Layer } from '../../test/fixtures/images.ts';
import { buildImage, pushImage } from '../../test/fixtures/images.ts';
import type { PrivateRegistry } from '../../test/fixtures/registry.ts';
import { forgetPeak, peakMiB } from '../process-figures.ts';
import type { Scene, Turn } from '../scene.ts';
import { inTurns } from '../scene.ts';
import type { Bench } from '../sides.ts';
import { add, timed } from '../times.ts';

const MIB = 2 ** 20;

interface Order {
  readonly label: string;
  /** What is pulled at once: so many images of so many layers, each of so many MiB before compression. */
  readonly images: number;
  readonly layers: number;
  readonly mib: number;
}

const ORDERS: readonly Order[] = [
  { label: 'pull of 1 layer, 200 MiB', images: 1, layers: 1, mib: 200 },
  { label: 'pull of 12 layers, 600 MiB', images: 1, layers: 12, mib: 50 },
  { label: 'pull of 10 images at once, 20 MiB each', images: 10, layers: 2, mib: 10 },
];

export const pulls: Scene = {
  name: 'pulls',
  what: 'Pulls from one registry on the loopback, unpacked; images are removed between rounds.',
  async play(stage, bench) {
    for (const order of ORDERS) {
      const references = await push(bench.registry, order);
      await inTurns(stage, { rounds: 5, warmUp: 1 }, (turn) => pullOnce(bench, turn, { order, references }));
    }
  },
};

async function push({ url, host }: PrivateRegistry, { images, layers, mib }: Order): Promise<string[]> {
  const repos = Array.from({ length: images }, (_, place) => `pull/${layers}x${mib}-${place}`);
  for (const repo of repos) {
    const content = Array.from({ length: layers }, (_, place) => layerOf(`layer${place}`, mib));
    await pushImage(url, repo, '1', await buildImage({ layers: content }));
  }
  return repos.map((repo) => `${host}/${repo}:1`);
}

/** A layer in files of a MiB that compress to about a half, as those of real images do. */
function layerOf(name: string, mib: number): Layer {
  const files = Array.from({ length: mib }, (_, place) => {
    const data = Buffer.alloc(MIB, 'all work and no play ');
    for (let start = 0; start < data.length; start += 4096) randomFillSync(data, start, 2048);
    return { path: `${name}-${place}`, data };
  });
  return { files };
}

async function pullOnce(
  bench: Bench,
  { side, times }: Turn,
  { order: { label }, references }: { order: Order; references: string[] },
): Promise<void> {
  const { client, pid } = bench.sides[side];
  // What the other side wrote must not be written out in our time.
  execFileSync('sync');
  forgetPeak(pid());
  await timed(times[side], label, () =>
    Promise.all(references.map((image) => client.image.pullImage({ image: { image } }))),
  );
  add(times[side], `peak RSS, ${label}`, peakMiB(pid()));
  for (const image of references) await client.image.removeImage({ image: { image } });
}

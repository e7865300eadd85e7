// How long a pull takes, unpacked: cristal and containerd's built-in CRI in turn, from one registry on the
// loopback, images removed between rounds. `node bench/pull.ts [rounds] [scale] [only]`: a scale of 0.1
// makes layers a tenth as large, `only` keeps the rows whose name contains it.
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import type { Layer } from '../test/fixtures/images.ts';
import { buildImage, pushImage } from '../test/fixtures/images.ts';
import type { Side } from './sides.ts';
import { forgetPeak, peakMiB, SIDES, startSides } from './sides.ts';
import { noTimes, printTable, timed } from './times.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const SCALE = Number(process.argv[3] ?? 1);
const ONLY = process.argv[4] ?? '';
/** More options for cristal's node, such as --cpu-prof. */
const NODE_OPTIONS = process.env['CRISTAL_NODE_OPTIONS'] ?? '';

const WARM_UP = 1;
const MIB = 2 ** 20;

/** What is pulled at once: so many images of so many layers, each of so many MiB before compression. */
const ROWS: Record<string, { images: number; layers: number; mib: number }> = {
  '1 image, 1 layer, 200 MiB': { images: 1, layers: 1, mib: 200 },
  '1 image, 12 layers, 600 MiB': { images: 1, layers: 12, mib: 50 },
  '10 images at once, 20 MiB each': { images: 10, layers: 2, mib: 10 },
};

/** A layer in files of up to a MiB that compress to about a half, as those of real images do. */
function layerOf(name: string, mib: number): Layer {
  const files = Array.from({ length: Math.ceil(mib) }, (_, place) => {
    const data = Buffer.alloc(Math.round((mib / Math.ceil(mib)) * MIB), 'all work and no play ');
    for (let start = 0; start < data.length; start += 4096) {
      randomFillSync(data, start, Math.min(2048, data.length - start));
    }
    return { path: `${name}-${place}`, data };
  });
  return { files };
}

async function push(url: string, row: string): Promise<string[]> {
  const { images, layers, mib } = ROWS[row] ?? { images: 0, layers: 0, mib: 0 };
  const repos = Array.from({ length: images }, (_, place) => `pull/${layers}x${mib}-${place}`);
  for (const repo of repos) {
    const content = Array.from({ length: layers }, (_, place) => layerOf(`layer${place}`, mib * SCALE));
    await pushImage(url, repo, '1', await buildImage({ layers: content }));
  }
  return repos.map((repo) => `${new URL(url).host}/${repo}:1`);
}

async function pullAll({ client }: Side, references: string[]): Promise<void> {
  await Promise.all(references.map((image) => client.image.pullImage({ image: { image } })));
}

const peaks = { cristal: new Map<string, number>(), builtin: new Map<string, number>() };
await using bench = await startSides(NODE_OPTIONS === '' ? {} : { NODE_OPTIONS });
const url = `http://${bench.image.split('/', 1)[0]}`;
const times = noTimes();
for (const row of Object.keys(ROWS).filter((name) => name.includes(ONLY))) {
  const references = await push(url, row);
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const kept = round < WARM_UP ? noTimes() : times;
    for (const name of SIDES) {
      const side = bench.sides[name];
      // What the other side wrote must not be written out in our time.
      execFileSync('sync');
      forgetPeak(side.pid());
      await timed(kept[name], row, () => pullAll(side, references));
      peaks[name].set(row, Math.max(peaks[name].get(row) ?? 0, peakMiB(side.pid())));
      for (const image of references) await side.client.image.removeImage({ image: { image } });
    }
  }
}
printTable(`median of ${ROUNDS} rounds, ms`, times);
for (const [row, mib] of peaks.cristal) {
  const theirs = peaks.builtin.get(row) ?? Number.NaN;
  process.stdout.write(`${row}: peak memory ${mib.toFixed(0)} MiB, of containerd ${theirs.toFixed(0)} MiB\n`);
}

// cristal and containerd's built-in CRI side by side, in turns, on the same runc, CNI plugins and images: all that
// docs/performance.md shows.
//
//   npm run bench -- [--only SCENE,...] [--scale X] [--pods N,N] [--out DIR]
//
// A scale of 0.5 makes half of the rounds. Results of the scenes that are played take the place of older ones in DIR
// (docs/performance) after each scene, so a run that is stopped keeps what it has. Both sides keep their state below
// TMPDIR. CRISTAL_NODE_OPTIONS are more options for cristal's node, such as --cpu-prof.
import { execFileSync } from 'node:child_process';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { linesOf } from './lines.ts';
import { floorText, sceneText } from './report.ts';
import type { SceneResult } from './results.ts';
import { merged, readResults, writeResults } from './results.ts';
import type { Scene, Stage } from './scene.ts';
import { scenes } from './scenes/index.ts';
import { startSides } from './sides.ts';
import { noTimes } from './times.ts';

const { values: given } = parseArgs({
  options: {
    only: { type: 'string', default: scenes.map(({ name }) => name).join() },
    scale: { type: 'string', default: '1' },
    pods: { type: 'string', default: '10,60,100,300' },
    out: { type: 'string', default: join(import.meta.dirname, '../docs/performance') },
  },
});
const scale = Number(given.scale);
const pods = given.pods.split(',').map(Number);
if (!(scale > 0)) throw new Error(`--scale ${given.scale}: not a number above 0`);
if (!pods.every((count) => count > 0)) throw new Error(`--pods ${given.pods}: not numbers above 0`);
const wanted = given.only.split(',').map((name) => {
  const scene = scenes.find((one) => one.name === name);
  if (!scene)
    throw new Error(`--only ${name}: no such scene; there are ${scenes.map((one) => one.name).join()}`);
  return scene;
});

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
}
const say = (what: string): void => void process.stderr.write(`bench: ${what}\n`);

try {
  await playAll();
} catch (error) {
  if (!stop.signal.aborted) throw error;
  say('stopped');
  process.exitCode = 130;
}

async function playAll(): Promise<void> {
  if (wanted.some(({ play: act }) => act)) {
    say('a first start, which compiles what was edited');
    await (await startSides())[Symbol.asyncDispose]();
  }
  const names = scenes.map(({ name }) => name);
  let results = readResults(given.out, names);
  for (const scene of wanted) {
    stop.signal.throwIfAborted();
    say(scene.name);
    const result = await play(scene);
    results = merged(results, result, names);
    writeResults(given.out, results);
    process.stdout.write(`\n${sceneText(result)}\n`);
  }
  process.stdout.write(`\n${floorText(results)}\n`);
}

async function play(scene: Scene): Promise<SceneResult> {
  using ended = new DisposableStack();
  const [load = 0] = loadavg();
  const notes: string[] = [];
  const stage: Stage = {
    times: noTimes(),
    pods,
    rounds: (full) => Math.max(1, Math.round(full * scale)),
    note: (text) => void notes.push(text),
    afterwards: (undo) => ended.defer(undo),
  };
  await untilStopped(scene, stage);
  return {
    name: scene.name,
    what: scene.what,
    date: new Date().toISOString(),
    scale,
    processors: availableParallelism(),
    load,
    disk: execFileSync('stat', ['--file-system', '--format=%T', tmpdir()], { encoding: 'utf8' }).trim(),
    notes,
    lines: linesOf(stage.times),
  };
}

/** When the run is stopped, the sides go first: then the scene's calls fail, and it undoes what is its own. */
async function untilStopped(scene: Scene, stage: Stage): Promise<void> {
  let playing = Promise.resolve();
  try {
    const { play: act, simulate } = scene;
    if (simulate) await simulate(stage);
    if (!act) return;
    await using bench = await startSides();
    stop.signal.throwIfAborted();
    playing = act(stage, bench);
    await Promise.race([playing, stopped()]);
  } finally {
    await Promise.allSettled([playing]);
  }
}

/** Never resolves. */
async function stopped(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  stop.signal.addEventListener('abort', () => reject(stop.signal.reason as Error), { once: true });
  return await promise;
}

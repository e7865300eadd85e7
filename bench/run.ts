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
import { inspect } from 'node:util';
import { linesOf } from './lines.ts';
import { readOptions } from './options.ts';
import { floorText, sceneText } from './report.ts';
import type { SceneResult } from './results.ts';
import { merged, readResults, writeResults } from './results.ts';
import type { Scene, Stage } from './scene.ts';
import { scenes } from './scenes/index.ts';
import { startSides } from './sides.ts';
import { noTimes } from './times.ts';

const names = scenes.map(({ name }) => name);
const options = readOptions(process.argv.slice(2), names);
const wanted = scenes.filter(({ name }) => options.only.includes(name));

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
}
const say = (what: string): void => void process.stderr.write(`bench: ${what}\n`);

await playAll();
if (stop.signal.aborted) {
  say('stopped');
  process.exitCode = 130;
}

async function playAll(): Promise<void> {
  if (wanted.some(({ play: act }) => act)) {
    say('a first start, which compiles what was edited');
    await (await startSides())[Symbol.asyncDispose]();
  }
  let results = readResults(options.out, names);
  for (const scene of wanted) {
    if (stop.signal.aborted) return;
    say(scene.name);
    const start = performance.now();
    try {
      const result = await play(scene);
      results = merged(results, result, names);
      writeResults(options.out, results);
      process.stdout.write(`\n${sceneText(result)}\n\n`);
      say(`${scene.name} took ${((performance.now() - start) / 1000).toFixed(0)} s`);
    } catch (error) {
      if (stop.signal.aborted) return;
      // Those after it are none the worse for it.
      say(`${scene.name} failed, and keeps its older figures: ${inspect(error)}`);
      process.exitCode = 1;
    }
  }
  process.stdout.write(`${floorText(results)}\n`);
}

async function play(scene: Scene): Promise<SceneResult> {
  using ended = new DisposableStack();
  const [load = 0] = loadavg();
  const notes: string[] = [];
  const stage: Stage = {
    times: noTimes(),
    pods: options.pods,
    rounds: (full) => Math.max(1, Math.round(full * options.scale)),
    note: (text) => void notes.push(text),
    afterwards: (undo) => ended.defer(undo),
  };
  await untilStopped(scene, stage);
  return {
    name: scene.name,
    what: scene.what,
    date: new Date().toISOString(),
    scale: options.scale,
    processors: availableParallelism(),
    load,
    disk: fileSystemOf(tmpdir()),
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

function fileSystemOf(dir: string): string {
  const [, type = ''] = execFileSync('df', ['--output=fstype', dir], { encoding: 'utf8' }).split('\n');
  return type.trim();
}

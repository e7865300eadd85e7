import type { PullState } from '../registry/progress.ts';
import { progressNews, progressScreen, summary } from './progress-lines.ts';

/** A stream to show progress on; a terminal says so by `isTTY`. */
export type ProgressStream = Pick<NodeJS.WritableStream, 'write'> & {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
};

/** Pauses between looks, in milliseconds. */
const SCREEN_MS = 100;
const NEWS_MS = 250;

/** Where lines are not written over, the sums are told this often, in milliseconds. */
const SUMMARY_MS = 5_000;

const CLEAR_TO_END = '\u001B[0J';

/** Shows the pulls that run, from now until disposed: bars that move on a terminal, else one line for each thing that is new. */
export function showProgress(running: () => PullState[], stream: ProgressStream): Disposable {
  const look = stream.isTTY === true ? screen(running, stream) : news(running, stream);
  look();
  const timer = setInterval(look, stream.isTTY === true ? SCREEN_MS : NEWS_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      look();
    },
  };
}

function screen(running: () => PullState[], stream: ProgressStream): () => void {
  let drawn = 0;
  return () => {
    const { columns = 80, rows = 24 } = stream;
    const lines = running().flatMap((state) => progressScreen(state, { columns, rows }));
    const up = drawn === 0 ? '' : `\u001B[${drawn}A\r`;
    // In one piece, so that the terminal never shows half of it. When nothing runs it leaves no trace.
    if (drawn + lines.length > 0)
      stream.write(`${up}${CLEAR_TO_END}${lines.map((line) => `${line}\n`).join('')}`);
    drawn = lines.length;
  };
}

function news(running: () => PullState[], stream: ProgressStream): () => void {
  const last = new Map<string, PullState>();
  const told = new Map<string, number>();
  return () => {
    for (const state of running()) {
      const lines = progressNews(last.get(state.name) ?? null, state);
      const isQuiet = lines.length === 0 && state.ms - (told.get(state.name) ?? 0) >= SUMMARY_MS;
      if (isQuiet) lines.push(summary(state));
      if (lines.length > 0) told.set(state.name, state.ms);
      last.set(state.name, state);
      for (const line of lines) stream.write(`${line}\n`);
    }
  };
}

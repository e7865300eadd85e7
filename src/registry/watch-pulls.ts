import type { Logger } from 'pino';
import { enterPhase } from '../lib/trace.ts';
import type { PullObserver, PullProgress, PullState } from './progress.ts';
import { createPullProgress } from './progress.ts';

/** How often the log tells of a pull that still runs, in milliseconds. */
const LOG_MS = 10_000;

/** Knows the pulls that run, and logs how far each one is. */
export interface Watch {
  /** Starts to watch one; dispose of it when the pull has ended. */
  start(name: string): PullObserver & Disposable;
  running(): PullState[];
}

export function createWatch(log: Logger): Watch {
  const pulls = new Set<PullProgress>();
  return {
    start(name) {
      const progress = createPullProgress(name);
      pulls.add(progress);
      const timer = setInterval(() => log.info(logLine(progress.state()), 'pull goes on'), LOG_MS).unref();
      return {
        ...progress,
        phase(next) {
          enterPhase(next);
          progress.phase(next);
        },
        [Symbol.dispose]() {
          clearInterval(timer);
          pulls.delete(progress);
        },
      };
    },
    running: () => [...pulls].map((pull) => pull.state()),
  };
}

/** What a log line tells of a pull: bytes, bytes a second, and how many layers are done. */
export function logLine({ name, phase, layers, offset, total, rate, ms }: PullState) {
  // The config is no layer, and is never unpacked.
  const [, ...own] = layers;
  const done = own.filter((layer) => layer.phase === 'done').length;
  return { image: name, phase, bytes: offset, of: total, rate, layers: `${done}/${own.length}`, ms };
}

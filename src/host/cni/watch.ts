import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import type { Logger } from 'pino';
import type { ConfigState } from './config-dir.ts';
import { readConfigDir } from './config-dir.ts';

/** Files come in several events, and half written ones must not be chosen over. */
const SETTLE_MS = 100;

/** Catches what inotify does not tell: a parent's parent moved, a link changed, no watches left. */
const POLL_MS = 10_000;

interface WatchOptions {
  dir: string;
  log: Logger;
  /** Called with each state that differs from the one before. */
  onChange: (state: ConfigState) => void;
}

/**
 * Keeps the configuration directory's state in memory. It watches the directory and its parent, or
 * the nearest directory that exists on the way there, and looks for itself every ten seconds.
 */
export class ConfigWatch implements AsyncDisposable {
  readonly #options: WatchOptions;
  /** By directory, device and inode: a directory that was replaced is another one. */
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #poll: NodeJS.Timeout;
  #settle: NodeJS.Timeout | null = null;
  #state: ConfigState;
  #reading: Promise<void> | null = null;
  #readAgain = false;
  #closed = false;

  private constructor(options: WatchOptions) {
    this.#options = { ...options, dir: resolve(options.dir) };
    this.#state = { network: null, file: '', problem: 'no CNI network: not looked yet', passedOver: [] };
    this.#poll = setInterval(() => void this.refresh(), POLL_MS).unref();
  }

  static async start(options: WatchOptions): Promise<ConfigWatch> {
    const started = new ConfigWatch(options);
    await started.refresh();
    return started;
  }

  get state(): ConfigState {
    return this.#state;
  }

  /** Reads the directory anew. What changed before the call is in the state it resolves with. */
  async refresh(): Promise<ConfigState> {
    this.#readAgain = true;
    while (this.#readAgain && !this.#closed) {
      this.#reading ??= this.#read();
      await this.#reading;
    }
    return this.#state;
  }

  /** Never rejects: what goes wrong is in the state, or in the log. */
  async #read(): Promise<void> {
    this.#readAgain = false;
    try {
      await this.#arm();
      const state = await readConfigDir(this.#options.dir);
      if (!isDeepStrictEqual(state, this.#state)) this.#accept(state);
    } catch (err) {
      this.#options.log.error({ err, dir: this.#options.dir }, 'reading the CNI configuration failed');
    } finally {
      this.#reading = null;
    }
  }

  #accept(state: ConfigState): void {
    const { log, onChange } = this.#options;
    this.#state = state;
    const { network, file, problem, passedOver } = state;
    if (network === null) log.warn({ problem }, 'no CNI network');
    else log.info({ file, network: network.name, cniVersion: network.cniVersion }, 'CNI network loaded');
    if (network !== null && passedOver.length > 0) log.warn({ passedOver }, 'CNI files passed over');
    onChange(state);
  }

  /** Watches what is there now. Repeats while directories come and go under it. */
  async #arm(): Promise<void> {
    let before = '';
    for (let targets = await targetsFor(this.#options.dir); targets.key !== before; ) {
      before = targets.key;
      for (const [key, watcher] of this.#watchers) {
        if (targets.dirs.has(key)) continue;
        watcher.close();
        this.#watchers.delete(key);
      }
      for (const [key, target] of targets.dirs) {
        if (!this.#watchers.has(key) && !this.#closed) this.#watch(key, target);
      }
      targets = await targetsFor(this.#options.dir);
    }
  }

  #watch(key: string, { path, child }: Target): void {
    const giveUp = (err: unknown) => {
      this.#watchers.delete(key);
      this.#options.log.warn({ err, path }, 'cannot watch the CNI directory, polling it');
    };
    try {
      const watcher = watch(path, { persistent: false }, (_event, name) => {
        if (child === null || name === null || name === child) this.#refreshSoon();
      });
      watcher.on('error', (err) => {
        watcher.close();
        giveUp(err);
      });
      this.#watchers.set(key, watcher);
    } catch (err) {
      // Gone again since we looked is the usual case, and the next look finds its parent.
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') giveUp(err);
    }
  }

  #refreshSoon(): void {
    if (this.#closed) return;
    this.#settle ??= setTimeout(() => {
      this.#settle = null;
      void this.refresh();
    }, SETTLE_MS).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    if (this.#settle !== null) clearTimeout(this.#settle);
    await this.#reading;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }
}

interface Target {
  path: string;
  /** The only name in it that matters, or null for any. */
  child: string | null;
}

/** The directory and its parent; or, while it is absent, the nearest one above that exists. */
async function targetsFor(dir: string): Promise<{ key: string; dirs: Map<string, Target> }> {
  const dirs = new Map<string, Target>();
  const self = await identity(dir);
  if (self !== null) dirs.set(self, { path: dir, child: null });
  for (let path = dir; path !== dirname(path); path = dirname(path)) {
    const key = await identity(dirname(path));
    if (key === null) continue;
    dirs.set(key, { path: dirname(path), child: basename(path) });
    break;
  }
  return { key: [...dirs.keys()].join(' '), dirs };
}

async function identity(path: string): Promise<string | null> {
  try {
    const found = await stat(path);
    return found.isDirectory() ? `${path}:${found.dev}:${found.ino}` : null;
  } catch {
    return null; // absent or out of reach: either way there is nothing to watch
  }
}

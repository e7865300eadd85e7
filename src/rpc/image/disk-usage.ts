import type { Logger } from 'pino';
import type { Containerd } from '../../containerd/client.ts';
import { isCode } from '../../lib/fault.ts';

export interface Usage {
  /** Bytes. */
  size: number;
  inodes: number;
}

/** One look at what containerd takes up. */
export interface Measured {
  /** When, in milliseconds since the epoch. */
  at: number;
  /** Of those of the snapshotters asked for that run. */
  snapshotters: ReadonlyMap<string, SnapshotterUsage>;
  contentBytes: number;
}

export interface SnapshotterUsage {
  /** Directory of its files. */
  root: string;
  /** Layers of images. */
  committed: Usage;
  /** What containers write to, and layers in the making. */
  active: Usage;
  /** The same one by one, by the key of the snapshot: of a container that is its id. */
  actives: ReadonlyMap<string, Usage>;
}

/** Answers from the last look where it can: the kubelet asks often, and measuring walks directories. */
export interface DiskUsage {
  get(signal: AbortSignal): Promise<Measured>;
}

type Needs = Pick<Containerd, 'introspection' | 'snapshots' | 'content'>;

const SNAPSHOTTER = 'io.containerd.snapshotter.v1';

/** A look this old, in milliseconds, is answered, and a new one begins; one older than that is waited for. */
const FRESH_MS = 10_000;
const STALE_MS = 60_000;

/** Questions to containerd at a time: measuring an active snapshot walks its files. */
const READERS = 4;

/**
 * Nothing is measured while nobody asks. A committed snapshot is measured once, since it never changes.
 * `now` in milliseconds since the epoch.
 */
export function createDiskUsage(
  containerd: Needs,
  { snapshotters: wanted, log }: { snapshotters: readonly string[]; log: Logger },
  now: () => number = () => Date.now(),
): DiskUsage {
  const known = new Map<string, Map<string, Usage>>();
  let last: Measured | null = null;
  let looking: Promise<Measured> | null = null;

  const look = async (): Promise<Measured> => {
    const at = now();
    const roots = await snapshotterRoots(containerd);
    const snapshotters = new Map<string, SnapshotterUsage>();
    for (const snapshotter of wanted) {
      const root = roots.get(snapshotter);
      if (root === undefined) continue;
      const { known: measured, ...usage } = await measure(
        containerd,
        snapshotter,
        known.get(snapshotter) ?? new Map(),
      );
      known.set(snapshotter, measured);
      snapshotters.set(snapshotter, { root, ...usage });
    }
    const content = await containerd.content.list();
    last = { at, snapshotters, contentBytes: content.reduce((sum, { size }) => sum + size, 0) };
    return last;
  };
  const start = (): Promise<Measured> => {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  };

  return {
    async get(signal) {
      signal.throwIfAborted();
      const age = last === null ? Infinity : now() - last.at;
      if (last === null || age >= STALE_MS) return await start();
      if (age >= FRESH_MS) {
        start().catch((err: unknown) => log.warn({ err }, 'disk usage of containerd could not be measured'));
      }
      return last;
    },
  };
}

/** Where each running snapshotter keeps its files. Old versions tell it only for some: there it is a default. */
async function snapshotterRoots({ introspection }: Needs): Promise<Map<string, string>> {
  const plugins = await introspection.plugins([]);
  const contentRoot = plugins.find(({ type }) => type === 'io.containerd.content.v1')?.exports['root'] ?? '';
  const containerdRoot = contentRoot.slice(0, Math.max(0, contentRoot.lastIndexOf('/')));
  return new Map(
    plugins
      .filter(({ type, initError }) => type === SNAPSHOTTER && initError === null)
      .map(({ id, exports }) => [id, exports['root'] ?? `${containerdRoot}/${SNAPSHOTTER}.${id}`]),
  );
}

/** `known` has what committed snapshots take up; the answer has it for those that are still there. */
async function measure(
  { snapshots }: Needs,
  snapshotter: string,
  before: ReadonlyMap<string, Usage>,
): Promise<Omit<SnapshotterUsage, 'root'> & { known: Map<string, Usage> }> {
  const infos = await snapshots.list(snapshotter);
  const known = new Map<string, Usage>();
  const actives = new Map<string, Usage>();
  const totals = { committed: { size: 0, inodes: 0 }, active: { size: 0, inodes: 0 } };
  const reader = async () => {
    for (let info = infos.pop(); info !== undefined; info = infos.pop()) {
      const { name, kind, createdAt } = info;
      const isCommitted = kind === 'committed';
      // A snapshot may go, and one of the same name come.
      const key = `${createdAt} ${name}`;
      const usage = (isCommitted && before.get(key)) || (await usageOf(snapshots.usage(snapshotter, name)));
      if (usage === null) continue;
      if (isCommitted) known.set(key, usage);
      else actives.set(name, usage);
      const total = isCommitted ? totals.committed : totals.active;
      total.size += usage.size;
      total.inodes += usage.inodes;
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return { ...totals, actives, known };
}

/** Null for a snapshot that went between the listing and the look. */
async function usageOf(measuring: Promise<Usage>): Promise<Usage | null> {
  try {
    return await measuring;
  } catch (error) {
    if (isCode(error, 'not_found')) return null;
    throw error;
  }
}

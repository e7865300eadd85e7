import type { Containerd } from '../containerd/client.ts';

/**
 * Whether a snapshotter is a program of its own, as all are that load layers lazily (stargz, nydus,
 * overlaybd).
 */
export type IsRemote = (snapshotter: string, signal: AbortSignal) => Promise<boolean>;

/**
 * How long an answer is kept, in milliseconds. It changes with containerd's configuration alone, and an old
 * one does no harm: layers are fetched that the snapshotter has, or later than they could be.
 */
const KEPT_MS = 60_000;

/** Asks containerd, which tells the address of such a program. */
export function createIsRemote({ introspection }: Pick<Containerd, 'introspection'>): IsRemote {
  const kept = new Map<string, { answer: boolean; until: number }>();
  return async (snapshotter, signal) => {
    const known = kept.get(snapshotter);
    if (known !== undefined && known.until > performance.now()) return known.answer;
    const filter = `type==io.containerd.snapshotter.v1,id==${JSON.stringify(snapshotter)}`;
    const plugins = await introspection.plugins([filter], { signal });
    const answer = plugins.some(({ exports }) => exports['address'] !== undefined);
    kept.set(snapshotter, { answer, until: performance.now() + KEPT_MS });
    return answer;
  };
}

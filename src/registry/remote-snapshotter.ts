import type { Containerd } from '../containerd/client.ts';

/**
 * Whether a snapshotter is a program of its own, as all are that load layers lazily (stargz, nydus,
 * overlaybd). Of those containerd tells the address.
 */
export async function isRemote(
  { introspection }: Pick<Containerd, 'introspection'>,
  snapshotter: string,
  signal: AbortSignal,
): Promise<boolean> {
  const plugins = await introspection.plugins(
    [`type==io.containerd.snapshotter.v1,id==${JSON.stringify(snapshotter)}`],
    { signal },
  );
  return plugins.some(({ exports }) => exports['address'] !== undefined);
}

import type { Config } from '../config/schema.ts';
import type { Containerd } from '../containerd/client.ts';
import { messageOf } from '../lib/fault.ts';
import type { HostFacts } from '../lib/host-facts.ts';

/** All that the verdict depends on. */
export interface PreflightFacts {
  uid: number;
  cgroupMounted: boolean;
  containerd: ContainerdFacts | { error: string };
  network: { ready: boolean; message: string };
  /** The OCI runtimes by handler. Null: not found where we looked. */
  binaries: { handler: string; wanted: string; path: string | null }[];
}

export interface ContainerdFacts {
  version: string;
  /** Its own CRI service runs. */
  builtInCri: boolean;
  /** The snapshotters that started. */
  snapshotters: string[];
}

export interface PreflightNeeds {
  config: Config;
  containerd: Pick<Containerd, 'version'> & {
    introspection: Pick<Containerd['introspection'], 'plugins'>;
  };
  network: { status(signal?: AbortSignal): Promise<{ ready: boolean; message: string }> };
  host: HostFacts;
  exists: (path: string) => Promise<boolean>;
}

const CONTAINERD_MS = 10_000;

export async function gatherFacts(needs: PreflightNeeds): Promise<PreflightFacts> {
  const [containerd, network, binaries] = await Promise.all([
    askContainerd(needs.containerd),
    needs.network.status(),
    findBinaries(needs.config, needs.exists),
  ]);
  return {
    uid: process.getuid?.() ?? 0,
    cgroupMounted: needs.host.mounts.some(({ fsType }) => fsType === 'cgroup' || fsType === 'cgroup2'),
    containerd,
    network: { ready: network.ready, message: network.message },
    binaries,
  };
}

async function askContainerd(
  containerd: PreflightNeeds['containerd'],
): Promise<PreflightFacts['containerd']> {
  try {
    const { version } = await containerd.version({ timeoutMs: CONTAINERD_MS });
    const plugins = await containerd.introspection.plugins([], { timeoutMs: CONTAINERD_MS });
    const running = plugins.filter(({ initError }) => initError === null);
    return {
      version,
      builtInCri: running.some(({ type, id }) => type === 'io.containerd.grpc.v1' && id === 'cri'),
      snapshotters: running.filter(({ type }) => type === 'io.containerd.snapshotter.v1').map(({ id }) => id),
    };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** Shims of other kinds find their runtime by rules of their own, of which we know nothing. */
async function findBinaries(
  { runtimes }: Config,
  exists: PreflightNeeds['exists'],
): Promise<PreflightFacts['binaries']> {
  const checked = Object.entries(runtimes).filter(
    ([, { type, binary }]) => binary !== '' || type === 'io.containerd.runc.v2',
  );
  return await Promise.all(
    checked.map(async ([handler, { binary }]) => {
      const wanted = binary === '' ? 'runc' : binary;
      return { handler, wanted, path: await firstExisting(placesOf(wanted), exists) };
    }),
  );
}

function placesOf(wanted: string): string[] {
  if (wanted.startsWith('/')) return [wanted];
  const directories = (process.env['PATH'] ?? '').split(':').filter((directory) => directory !== '');
  return directories.map((directory) => `${directory}/${wanted}`);
}

async function firstExisting(
  paths: readonly string[],
  exists: PreflightNeeds['exists'],
): Promise<string | null> {
  for (const path of paths) if (await exists(path)) return path;
  return null;
}

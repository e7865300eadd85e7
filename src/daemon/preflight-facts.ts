import type { Config } from '../config/schema.ts';
import type { Containerd } from '../containerd/client.ts';
import type { CallOptions } from '../containerd/connection.ts';
import { messageOf } from '../lib/fault.ts';
import type { HostFacts } from '../lib/host-facts.ts';
import { createPaths } from '../store/paths.ts';
import { isUsed, otherContainerd } from '../store/root-owner.ts';

/** All that the verdict depends on. */
export interface PreflightFacts {
  uid: number;
  cgroupMounted: boolean;
  /** Systemd runs the machine. */
  systemd: boolean;
  /** The lowest oom_score_adj that a container can get, null where any will do. */
  lowestOomScoreAdj: number | null;
  /** What guards containers could have by default and have not, as far as it can be mended. */
  missingGuards: ('seccomp' | 'apparmor_parser')[];
  containerd: ContainerdFacts | { error: string };
  network: NetworkFacts;
  /** The OCI runtimes by handler. Null: not found where we looked. */
  binaries: { handler: string; wanted: string; path: string | null }[];
}

export interface NetworkFacts {
  ready: boolean;
  /** One word for programs, and a sentence for people; empty while it is ready. */
  reason: string;
  message: string;
}

export interface ContainerdFacts {
  version: string;
  /** Why the records of our pods are not there, null when they may be. */
  elsewhere: string | null;
  /** Its own CRI service runs. */
  builtInCri: boolean;
  /** The snapshotters that started. */
  snapshotters: string[];
  /** By id, what a later containerd will not have and this one's configuration uses. */
  deprecations: Record<string, string>;
}

export interface PreflightNeeds {
  config: Config;
  containerd: Pick<Containerd, 'version'> & {
    introspection: Pick<Containerd['introspection'], 'plugins' | 'server'>;
  };
  network: { status(signal?: AbortSignal): Promise<NetworkFacts> };
  host: HostFacts;
  exists: (path: string) => Promise<boolean>;
}

/** How long containerd may take to answer each question at start, in milliseconds. */
const CONTAINERD_MS = 10_000;

/** Where systemd says that it runs the machine (sd_booted(3)). */
export const SYSTEMD_RUNS = '/run/systemd/system';

/** @param options for the questions to containerd. */
export async function gatherFacts(
  needs: PreflightNeeds,
  options: CallOptions = { timeoutMs: CONTAINERD_MS },
): Promise<PreflightFacts> {
  const [containerd, network, binaries, systemd] = await Promise.all([
    askContainerd(needs, options),
    needs.network.status(options.signal),
    findBinaries(needs.config, needs.exists),
    needs.exists(SYSTEMD_RUNS),
  ]);
  const { mounts, mayLowerOomScore, oomScoreAdj } = needs.host;
  return {
    uid: process.getuid?.() ?? 0,
    missingGuards: missingGuards(needs.host),
    cgroupMounted: mounts.some(({ fsType }) => fsType === 'cgroup' || fsType === 'cgroup2'),
    systemd,
    lowestOomScoreAdj: mayLowerOomScore ? null : oomScoreAdj,
    containerd,
    network,
    binaries,
  };
}

function missingGuards(host: HostFacts): PreflightFacts['missingGuards'] {
  return [
    ...(host.seccomp ? [] : (['seccomp'] as const)),
    ...(host.apparmorInKernel && !host.apparmor ? (['apparmor_parser'] as const) : []),
  ];
}

async function askContainerd(
  { config, containerd }: Pick<PreflightNeeds, 'config' | 'containerd'>,
  options: CallOptions,
): Promise<PreflightFacts['containerd']> {
  try {
    const { version } = await containerd.version(options);
    const [plugins, { uuid, deprecations }] = await Promise.all([
      containerd.introspection.plugins([], options),
      containerd.introspection.server(options),
    ]);
    const running = plugins.filter(({ initError }) => initError === null);
    return {
      version,
      elsewhere: await recordsElsewhere(config, uuid),
      builtInCri: running.some(({ type, id }) => type === 'io.containerd.grpc.v1' && id === 'cri'),
      snapshotters: running.filter(({ type }) => type === 'io.containerd.snapshotter.v1').map(({ id }) => id),
      deprecations,
    };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

async function recordsElsewhere(config: Config, uuid: string): Promise<string | null> {
  // Where nothing is written down nothing can be taken for half-made.
  if (!(await isUsed(createPaths(config)))) return null;
  return await otherContainerd(config.root, { ...config.containerd, uuid });
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
      return { handler, wanted, path: await findProgram(wanted, exists) };
    }),
  );
}

function placesOf(wanted: string): string[] {
  if (wanted.startsWith('/')) return [wanted];
  const directories = (process.env['PATH'] ?? '').split(':').filter((directory) => directory !== '');
  return directories.map((directory) => `${directory}/${wanted}`);
}

/** Where a program is that is looked up in our PATH; null where it is not. */
export async function findProgram(wanted: string, exists: PreflightNeeds['exists']): Promise<string | null> {
  return await firstExisting(placesOf(wanted), exists);
}

async function firstExisting(
  paths: readonly string[],
  exists: PreflightNeeds['exists'],
): Promise<string | null> {
  for (const path of paths) if (await exists(path)) return path;
  return null;
}

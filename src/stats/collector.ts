import type { Logger } from 'pino';
import type { CgroupReader } from '../host/cgroup/reader.ts';
import type { CgroupDetail, CgroupUsage } from '../host/cgroup/usage.ts';
import { cgroupDirectory } from '../host/cgroup.ts';
import type { NamespaceThread } from '../host/namespaces.ts';
import type { InterfaceCounters } from '../host/net-dev.ts';
import { parseNetDev } from '../host/net-dev.ts';
import { nowNs } from '../lib/time.ts';
import { Turns } from '../lib/turns.ts';
import { pinsDir } from '../sandbox/release.ts';
import type { Container, ContainerStore } from '../store/containers.ts';
import type { Paths } from '../store/paths.ts';
import type { Sandbox, SandboxStore } from '../store/sandboxes.ts';
import { usesHostNetwork } from '../store/sandboxes.ts';
import { CpuRates } from './cpu-rates.ts';
import { podCgroup } from './pod-cgroup.ts';

/** What a cgroup used at one moment. */
export interface Reading {
  /** When, in nanoseconds since the epoch. */
  readonly at: bigint;
  /** Relative to the root of the hierarchies. */
  readonly cgroup: string;
  readonly usage: CgroupUsage;
  /** Processor time used for each second of late; null when it is too young to tell. */
  readonly nanoCores: bigint | null;
}

/** Traffic of a pod at one moment. */
export interface NetworkReading {
  readonly at: bigint;
  readonly interfaces: readonly InterfaceCounters[];
}

/**
 * Readings of containers and pods. One that is hardly older than this instant is answered again, so that calls
 * of the same time share what was read.
 */
export interface Stats extends Disposable {
  /** Null for a container that does not run, or whose cgroup is gone by now. */
  container(container: Container): Reading | null;
  /** Null for a pod that is not ready, or without a cgroup of its own, or whose cgroup is gone by now. */
  pod(sandbox: Sandbox): Reading | null;
  /** By id, of those that are ready and have a network of their own that is still there. */
  networks(sandboxes: readonly Sandbox[]): Promise<Map<string, NetworkReading>>;
  /** How many threads a reading's cgroup has, as the kernel limits them. */
  threads(reading: Reading): number;
  /** What only metrics tell; null when the cgroup is gone by now. */
  detail(reading: Reading): CgroupDetail | null;
  /** Ids of the processes in a reading's cgroup itself. */
  processes(reading: Reading): number[];
  /** Reads the processor time of all, as it does every ten seconds by itself. */
  sample(): Promise<void>;
}

export interface StatsNeeds {
  readonly cgroups: CgroupReader;
  readonly namespaces: Pick<NamespaceThread, 'netDev'>;
  readonly containers: Pick<ContainerStore, 'list'>;
  readonly sandboxes: Pick<SandboxStore, 'list'>;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly paths: Pick<Paths, 'sandboxState'>;
  readonly log: Logger;
}

/**
 * The kubelet asks every ten seconds, and the background samples are for the first to ask: one file for each
 * container, 10 µs. (containerd asks each shim every second for the same.)
 */
const SAMPLE_MS = 10_000;

/** Readings up to this age, in milliseconds, are shared. */
const SHARED_MS = 100;

interface Remembered<T> {
  atMs: number;
  value: T;
}

/** `now` in milliseconds of a clock that never goes back. */
export function createStats(needs: StatsNeeds, now: () => number = () => performance.now()): Stats {
  const { cgroups, containers, sandboxes, cgroupDriver, log } = needs;
  const rates = new CpuRates();
  const readings = new Map<string, Remembered<Reading | null>>();
  const networks = new Map<string, Remembered<Promise<NetworkReading | null>>>();

  const read = (id: string, cgroup: string): Reading | null => {
    const usage = cgroups.usage(cgroup);
    if (usage === null) return null;
    const nanoCores = usage.cpu && rates.observe(id, { atMs: now(), usageNs: usage.cpu.usageNs });
    return { at: nowNs(), cgroup, usage, nanoCores };
  };
  const shared = (id: string, cgroup: string): Reading | null =>
    recent(readings, { key: id, now: now() }, () => read(id, cgroup));

  const sample = async (): Promise<void> => {
    const turns = new Turns();
    const seen = new Set<string>();
    const pods = sandboxes.list().map((sandbox) => [sandbox.id, cgroupOfPod(sandbox, cgroupDriver)] as const);
    const running = containers.list().map((container) => [container.id, cgroupOf(container)] as const);
    for (const [id, cgroup] of [...pods, ...running]) {
      if (cgroup === null) continue;
      seen.add(id);
      const usageNs = cgroups.cpuTime(cgroup);
      if (usageNs !== null) rates.observe(id, { atMs: now(), usageNs });
      if (turns.over()) await turns.next();
    }
    rates.keep(seen);
    cgroups.tidy();
    forgetOld(readings, now());
    forgetOld(networks, now());
  };
  const timer = setInterval(() => {
    sample().catch((err: unknown) => log.warn({ err }, 'processor time of containers could not be sampled'));
  }, SAMPLE_MS);
  timer.unref();

  return {
    container(container) {
      const cgroup = cgroupOf(container);
      return cgroup === null ? null : shared(container.id, cgroup);
    },
    pod(sandbox) {
      const cgroup = cgroupOfPod(sandbox, cgroupDriver);
      return cgroup === null ? null : shared(sandbox.id, cgroup);
    },
    async networks(wanted) {
      const own = wanted.filter(({ state, config }) => state === 'ready' && !usesHostNetwork(config));
      const fresh = own.filter(({ id }) => !isRecent(networks.get(id), now()));
      const visit = visitAll(needs, fresh);
      for (const [index, { id }] of fresh.entries()) {
        networks.set(id, { atMs: now(), value: visit.then((found) => found[index] ?? null) });
      }
      const found = new Map<string, NetworkReading>();
      for (const { id } of own) {
        const reading = await networks.get(id)?.value;
        if (reading) found.set(id, reading);
      }
      return found;
    },
    threads: ({ cgroup }) => cgroups.threads(cgroup) ?? cgroups.processes(cgroup).length,
    detail: ({ cgroup }) => cgroups.detail(cgroup),
    processes: ({ cgroup }) => cgroups.processes(cgroup),
    sample,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function cgroupOf({ state, cgroupsPath }: Container): string | null {
  return state === 'running' ? cgroupDirectory(cgroupsPath) : null;
}

function cgroupOfPod(sandbox: Sandbox, driver: 'cgroupfs' | 'systemd'): string | null {
  return sandbox.state === 'ready' ? podCgroup(sandbox, driver) : null;
}

/** One batch for all pods, since each question to the thread costs more than a visit to a namespace. */
async function visitAll(
  { namespaces, paths, log }: StatsNeeds,
  sandboxes: readonly Sandbox[],
): Promise<(NetworkReading | null)[]> {
  if (sandboxes.length === 0) return [];
  try {
    const texts = await namespaces.netDev(
      sandboxes.map(({ id }) => `${pinsDir(paths.sandboxState(id))}/net`),
    );
    const at = nowNs();
    return texts.map((text) => (text === null ? null : { at, interfaces: parseNetDev(text) }));
  } catch (err) {
    // All that is not about the network is still worth telling.
    log.warn({ err }, 'the traffic of pods could not be read');
    return [];
  }
}

function recent<T>(
  known: Map<string, Remembered<T>>,
  { key, now }: { key: string; now: number },
  make: () => T,
): T {
  const last = known.get(key);
  if (last && isRecent(last, now)) return last.value;
  const value = make();
  known.set(key, { atMs: now, value });
  return value;
}

function isRecent(entry: Remembered<unknown> | undefined, now: number): boolean {
  return entry !== undefined && now - entry.atMs < SHARED_MS;
}

function forgetOld(known: Map<string, Remembered<unknown>>, now: number): void {
  for (const [key, entry] of known) if (!isRecent(entry, now)) known.delete(key);
}

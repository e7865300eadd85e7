import type { CgroupReader } from '../host/cgroup/reader.ts';
import type { CgroupDetail, CgroupUsage } from '../host/cgroup/usage.ts';
import { cgroupDirectory } from '../host/cgroup.ts';
import { nowNs } from '../lib/time.ts';
import { Turns } from '../lib/turns.ts';
import type { Container, ContainerStore } from '../store/containers.ts';
import type { Sandbox, SandboxStore } from '../store/sandboxes.ts';
import { CpuRates } from './cpu-rates.ts';
import type { NetworkMemory, NetworkNeeds, NetworkReading } from './networks.ts';
import { readNetworks } from './networks.ts';
import { podCgroup } from './pod-cgroup.ts';
import { ShortMemory } from './short-memory.ts';

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

export interface StatsNeeds extends NetworkNeeds {
  readonly cgroups: CgroupReader;
  readonly containers: Pick<ContainerStore, 'list'>;
  readonly sandboxes: Pick<SandboxStore, 'list'>;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
}

/**
 * The kubelet asks every ten seconds, and the background samples are for the first to ask: one file for each
 * container, 10 µs. (containerd asks each shim every second for the same.)
 */
const SAMPLE_MS = 10_000;

/** `now` in milliseconds of a clock that never goes back. */
export function createStats(needs: StatsNeeds, now: () => number = () => performance.now()): Stats {
  const { cgroups, containers, sandboxes, cgroupDriver, log } = needs;
  const rates = new CpuRates();
  const readings = new ShortMemory<Reading | null>(now);
  const networks: NetworkMemory = new ShortMemory(now);

  const read = (id: string, cgroup: string): Reading | null => {
    const usage = cgroups.usage(cgroup);
    if (usage === null) return null;
    const nanoCores = usage.cpu && rates.observe(id, { atMs: now(), usageNs: usage.cpu.usageNs });
    return { at: nowNs(), cgroup, usage, nanoCores };
  };
  const sample = async (): Promise<void> => {
    const turns = new Turns();
    const seen = new Set<string>();
    for (const { id, cgroup } of [
      ...sandboxes.list().map((pod) => ({ id: pod.id, cgroup: cgroupOfPod(pod, cgroupDriver) })),
      ...containers.list().map((container) => ({ id: container.id, cgroup: cgroupOf(container) })),
    ]) {
      if (cgroup === null) continue;
      seen.add(id);
      const usageNs = cgroups.cpuTime(cgroup);
      if (usageNs !== null) rates.observe(id, { atMs: now(), usageNs });
      if (turns.over()) await turns.next();
    }
    rates.keep(seen);
    cgroups.tidy();
    readings.forgetOld();
    networks.forgetOld();
  };
  const timer = setInterval(() => {
    sample().catch((err: unknown) => log.warn({ err }, 'processor time of containers could not be sampled'));
  }, SAMPLE_MS);
  timer.unref();

  return {
    container(container) {
      const cgroup = cgroupOf(container);
      return cgroup === null ? null : readings.recall(container.id, () => read(container.id, cgroup));
    },
    pod(sandbox) {
      const cgroup = cgroupOfPod(sandbox, cgroupDriver);
      return cgroup === null ? null : readings.recall(sandbox.id, () => read(sandbox.id, cgroup));
    },
    networks: (wanted) => readNetworks(needs, networks, wanted),
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

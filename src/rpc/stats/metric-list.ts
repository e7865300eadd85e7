import type { ContainerMetrics } from '../../gen/runtime/v1/ContainerMetrics.ts';
import type { PodSandboxMetrics } from '../../gen/runtime/v1/PodSandboxMetrics.ts';
import type { Filesystem } from '../../host/filesystem.ts';
import { blockDeviceName, filesystemOf } from '../../host/filesystem.ts';
import { openFiles, openFilesLimit } from '../../host/process-usage.ts';
import type { Call } from '../../lib/call.ts';
import { nowNs } from '../../lib/time.ts';
import { Turns } from '../../lib/turns.ts';
import type { DiskCounts, ProcessCounts } from '../../stats/metrics/kind.ts';
import { metricsOf } from '../../stats/metrics/table.ts';
import type { NetworkReading } from '../../stats/networks.ts';
import type { Container } from '../../store/containers.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import type { Services } from '../services.ts';
import type { WritableLayers } from './writable-layers.ts';
import { writableLayers } from './writable-layers.ts';

export type MetricsNeeds = Pick<Services, 'containers' | 'sandboxes' | 'stats' | 'diskUsage' | 'facts'>;

/** What one call asks for once, for all pods. */
interface Pass {
  readonly turns: Turns;
  readonly layerOf: WritableLayers;
  readonly filesystems: Map<string, Filesystem | null>;
  readonly signal: AbortSignal;
}

/** The metrics of all ready pods and of their running containers. One that is gone by now is left out. */
export async function* podSandboxMetricsOf(
  needs: MetricsNeeds,
  call: Call,
): AsyncGenerator<PodSandboxMetrics> {
  const pods = needs.sandboxes.list().filter(({ state }) => state === 'ready');
  const [layerOf, networks] = await Promise.all([writableLayers(needs, call), needs.stats.networks(pods)]);
  const members = Map.groupBy(needs.containers.list(), ({ sandboxId }) => sandboxId);
  const pass: Pass = { turns: new Turns(), layerOf, filesystems: new Map(), signal: call.signal };
  for (const pod of pods) {
    const containerMetrics: ContainerMetrics[] = [];
    for (const container of members.get(pod.id) ?? []) {
      const found = await containerMetricsOf(needs, { pod, container }, pass);
      if (found) containerMetrics.push(found);
    }
    yield {
      podSandboxId: pod.id,
      metrics: podMetrics(needs, pod, networks.get(pod.id) ?? null),
      containerMetrics,
    };
    if (pass.turns.over()) await pass.turns.next();
    call.signal.throwIfAborted();
  }
}

function podMetrics({ stats }: MetricsNeeds, pod: Sandbox, network: NetworkReading | null) {
  const reading = stats.pod(pod);
  const detail = reading && stats.detail(reading);
  const source = {
    scope: 'pod' as const,
    at: reading?.at ?? network?.at ?? nowNs(),
    startedAt: pod.createdAt,
    cgroup: reading && detail && { usage: reading.usage, detail },
    processes: null,
    disk: null,
    interfaces: network?.interfaces ?? [],
    deviceName: blockDeviceName,
  };
  return metricsOf(source, {
    ...podLabels(pod),
    container: '',
    id: reading?.cgroup ?? '',
    image: '',
    name: pod.id,
  });
}

async function containerMetricsOf(
  needs: MetricsNeeds,
  { pod, container }: { pod: Sandbox; container: Container },
  pass: Pass,
): Promise<ContainerMetrics | null> {
  const { stats } = needs;
  const reading = stats.container(container);
  const detail = reading && stats.detail(reading);
  if (!reading || !detail) return null;
  const { config } = container;
  const source = {
    scope: 'container' as const,
    at: reading.at,
    startedAt: container.startedAt,
    cgroup: { usage: reading.usage, detail },
    processes: await countProcesses(stats.processes(reading), pass),
    disk: await diskCounts(needs, container, pass),
    interfaces: [],
    deviceName: blockDeviceName,
  };
  const metrics = metricsOf(source, {
    ...podLabels(pod),
    container: config.metadata?.name ?? '',
    id: reading.cgroup,
    image: config.image?.userSpecifiedImage || (config.image?.image ?? ''),
    name: container.id,
  });
  return { containerId: container.id, metrics };
}

function podLabels({ config }: Sandbox): { namespace: string; pod: string } {
  return { namespace: config.metadata?.namespace ?? '', pod: config.metadata?.name ?? '' };
}

/** Null when all of them are gone. A single process may have a million files open. */
async function countProcesses(
  pids: readonly number[],
  { turns, signal }: Pass,
): Promise<ProcessCounts | null> {
  const [first] = pids;
  if (first === undefined) return null;
  let files = 0;
  let sockets = 0;
  for (const pid of pids) {
    for (const target of openFiles(pid)) {
      files++;
      if (target.startsWith('socket:')) sockets++;
      if (!turns.over()) continue;
      await turns.next();
      signal.throwIfAborted();
    }
  }
  return { processes: pids.length, openFiles: files, sockets, openFilesLimit: openFilesLimit(first) };
}

async function diskCounts(
  { facts }: MetricsNeeds,
  container: Container,
  { layerOf, filesystems }: Pass,
): Promise<DiskCounts | null> {
  const layer = layerOf(container);
  if (!layer) return null;
  if (!filesystems.has(layer.mountpoint)) {
    filesystems.set(layer.mountpoint, await filesystemOf(layer.mountpoint, facts.mounts));
  }
  return {
    usedBytes: layer.bytes,
    measuredAt: layer.at,
    filesystem: filesystems.get(layer.mountpoint) ?? null,
  };
}

import type { ContainerStats } from '../gen/runtime/v1/ContainerStats.ts';
import type { CpuUsage } from '../gen/runtime/v1/CpuUsage.ts';
import type { FilesystemUsage } from '../gen/runtime/v1/FilesystemUsage.ts';
import type { IoUsage } from '../gen/runtime/v1/IoUsage.ts';
import type { MemoryUsage } from '../gen/runtime/v1/MemoryUsage.ts';
import type { NetworkInterfaceUsage } from '../gen/runtime/v1/NetworkInterfaceUsage.ts';
import type { NetworkUsage } from '../gen/runtime/v1/NetworkUsage.ts';
import type { PodSandboxStats } from '../gen/runtime/v1/PodSandboxStats.ts';
import type { PsiData } from '../gen/runtime/v1/PsiData.ts';
import type { PsiStats } from '../gen/runtime/v1/PsiStats.ts';
import type { SwapUsage } from '../gen/runtime/v1/SwapUsage.ts';
import type { Pressure, PressureLine } from '../host/cgroup/usage.ts';
import { IF_NAME } from '../host/cni/chain.ts';
import type { InterfaceCounters } from '../host/net-dev.ts';
import { nowNs } from '../lib/time.ts';
import type { Container } from '../store/containers.ts';
import type { Sandbox } from '../store/sandboxes.ts';
import type { Reading } from './collector.ts';
import type { NetworkReading } from './networks.ts';
import type { WritableLayer } from './writable-layer.ts';

/** As ContainerStats and the lists tell it. `layer` is null while nobody has measured it. */
export function toContainerStats(
  { id, config }: Container,
  reading: Reading,
  layer: WritableLayer | null,
): ContainerStats {
  const { metadata, labels, annotations } = config;
  return {
    attributes: { id, metadata, labels, annotations },
    cpu: cpuUsage(reading),
    memory: memoryUsage(reading),
    swap: swapUsage(reading),
    io: ioUsage(reading),
    writableLayer: layer && filesystemUsage(layer),
  };
}

/** What PodSandboxStats is made of. */
export interface PodFigures {
  /** Null for a pod without a cgroup of its own. */
  reading: Reading | null;
  /** Null for a pod on the host's network. */
  network: NetworkReading | null;
  threads: number;
  /** Of those that run. */
  containers: ContainerStats[];
}

export function toPodSandboxStats(
  { id, config }: Sandbox,
  { reading, network, threads, containers }: PodFigures,
): PodSandboxStats {
  const { metadata, labels, annotations } = config;
  const timestamp = (reading?.at ?? nowNs()).toString();
  return {
    attributes: { id, metadata, labels, annotations },
    linux: {
      cpu: reading && cpuUsage(reading),
      memory: reading && memoryUsage(reading),
      io: reading && ioUsage(reading),
      network: network && networkUsage(network),
      process: { timestamp, processCount: { value: threads } },
      containers,
    },
  };
}

function cpuUsage({ at, usage: { cpu }, nanoCores }: Reading): CpuUsage | null {
  return (
    cpu && {
      timestamp: at.toString(),
      usageCoreNanoSeconds: { value: cpu.usageNs.toString() },
      usageNanoCores: nanoCores === null ? null : { value: nanoCores.toString() },
      psi: psiStats(cpu.pressure),
    }
  );
}

function memoryUsage({ at, usage: { memory } }: Reading): MemoryUsage | null {
  if (memory === null) return null;
  const { limit, workingSet } = memory;
  return {
    timestamp: at.toString(),
    usageBytes: { value: memory.usage },
    workingSetBytes: { value: workingSet },
    availableBytes: limit === null ? null : { value: Math.max(0, limit - workingSet) },
    rssBytes: { value: memory.rss },
    pageFaults: { value: memory.pageFaults },
    majorPageFaults: { value: memory.majorPageFaults },
    psi: psiStats(memory.pressure),
  };
}

function swapUsage({ at, usage: { swap } }: Reading): SwapUsage | null {
  if (swap === null) return null;
  const { usage, limit } = swap;
  return {
    timestamp: at.toString(),
    swapUsageBytes: { value: usage },
    swapAvailableBytes: limit === null ? null : { value: Math.max(0, limit - usage) },
  };
}

function ioUsage({ at, usage: { ioPressure } }: Reading): IoUsage | null {
  return ioPressure && { timestamp: at.toString(), psi: psiStats(ioPressure) };
}

function psiStats(pressure: Pressure | null): PsiStats | null {
  return pressure && { Some: psiData(pressure.some), Full: pressure.full && psiData(pressure.full) };
}

function psiData({ avg10, avg60, avg300, totalNs }: PressureLine): PsiData {
  return { Avg10: avg10, Avg60: avg60, Avg300: avg300, Total: totalNs.toString() };
}

function filesystemUsage({ at, mountpoint, bytes, inodes }: WritableLayer): FilesystemUsage {
  return {
    timestamp: at.toString(),
    fsId: { mountpoint },
    usedBytes: { value: bytes },
    inodesUsed: { value: inodes },
  };
}

/** Where a plugin named the interface otherwise, the first one is the default. */
function networkUsage({ at, interfaces }: NetworkReading): NetworkUsage {
  const main = interfaces.find(({ name }) => name === IF_NAME) ?? interfaces[0];
  return {
    timestamp: at.toString(),
    defaultInterface: main ? interfaceUsage(main) : null,
    interfaces: interfaces.filter((one) => one !== main).map(interfaceUsage),
  };
}

function interfaceUsage({ name, rx, tx }: InterfaceCounters): NetworkInterfaceUsage {
  return {
    name,
    rxBytes: { value: rx.bytes },
    rxErrors: { value: rx.errors },
    txBytes: { value: tx.bytes },
    txErrors: { value: tx.errors },
  };
}

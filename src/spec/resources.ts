import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.ts';
import { Fault } from '../lib/fault.ts';
import type { HostFacts } from '../lib/host-facts.ts';
import type { SpecOption } from './build.ts';
import type { SpecSettings } from './input.ts';
import type { OciResources, OciSpec } from './oci.ts';

type Cpu = NonNullable<OciResources['cpu']>;
type Memory = NonNullable<OciResources['memory']>;
type Hugepages = NonNullable<OciResources['hugepageLimits']>;
type Abilities = Pick<HostFacts, 'cgroup' | 'hugepageSizes' | 'swap'> &
  Pick<SpecSettings, 'tolerateMissingHugetlb'>;

/**
 * The limits that the config sets. The CRI says "not set" with a zero or an empty string, so those write nothing.
 * Throws `failed_precondition` for cgroup v2 files on a machine with v1, and where asked to also for huge pages
 * that the machine cannot limit.
 */
export function ociResources(cri: LinuxContainerResources__Output | null, facts: Abilities): OciResources {
  return changed({}, cri, facts);
}

/** Sets what is set, and keeps what was there before. */
export function withResources(cri: LinuxContainerResources__Output | null, facts: Abilities): SpecOption {
  return ({ linux }) => {
    linux.resources = changed(linux.resources, cri, facts);
  };
}

/**
 * A copy of a container's spec after UpdateContainerResources: what the update leaves at zero stays. The runtime
 * wants to be told all of `linux.resources` of the result, for it takes what is missing there as "not limited".
 */
export function applyResources(
  spec: OciSpec,
  cri: LinuxContainerResources__Output | null,
  facts: Abilities,
): OciSpec {
  const next = structuredClone(spec);
  withResources(cri, facts)(next);
  return next;
}

/**
 * Always written, zero too: a process without a value inherits that of containerd, which is often near -1000.
 * Without CAP_SYS_RESOURCE a value below our own would make the runtime fail, so ours is then the floor.
 */
export function withOomScoreAdj(
  wanted: number,
  facts: Pick<HostFacts, 'oomScoreAdj' | 'mayLowerOomScore'>,
): SpecOption {
  return ({ process }) => {
    process.oomScoreAdj = facts.mayLowerOomScore ? wanted : Math.max(wanted, facts.oomScoreAdj);
  };
}

function changed(
  old: OciResources,
  cri: LinuxContainerResources__Output | null,
  facts: Abilities,
): OciResources {
  if (!cri) return old;
  if (facts.cgroup === 'v1' && Object.keys(cri.unified).length > 0) {
    throw new Fault('failed_precondition', 'resources.unified needs cgroup v2, and this machine has v1');
  }

  const next = { ...old };
  const cpu = cpuOf(old.cpu ?? {}, cri);
  const memory = memoryOf(old.memory ?? {}, cri, facts.swap);
  const hugepageLimits = hugepagesOf(old.hugepageLimits ?? [], cri, facts);
  const unified = { ...old.unified, ...cri.unified };
  if (Object.keys(cpu).length > 0) next.cpu = cpu;
  if (Object.keys(memory).length > 0) next.memory = memory;
  if (hugepageLimits.length > 0) next.hugepageLimits = hugepageLimits;
  if (Object.keys(unified).length > 0) next.unified = unified;
  return next;
}

function cpuOf(old: Cpu, cri: LinuxContainerResources__Output): Cpu {
  const { cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems } = cri;
  const cpu: Cpu = { ...old };
  if (isSet(cpuShares)) cpu.shares = Number(cpuShares);
  if (isSet(cpuQuota)) cpu.quota = Number(cpuQuota);
  if (isSet(cpuPeriod)) cpu.period = Number(cpuPeriod);
  if (cpusetCpus !== '') cpu.cpus = cpusetCpus;
  if (cpusetMems !== '') cpu.mems = cpusetMems;
  return cpu;
}

/**
 * A memory limit without a swap limit allows no swap, as Kubernetes expects of a container. So the swap limit,
 * which counts both, follows the memory limit unless it was once set to something else.
 */
function memoryOf(old: Memory, cri: LinuxContainerResources__Output, swap: boolean): Memory {
  const { memoryLimitInBytes: limit, memorySwapLimitInBytes: swapLimit } = cri;
  const memory: Memory = { ...old };
  if (isSet(limit)) memory.limit = Number(limit);
  if (!swap) return memory;
  if (isSet(swapLimit)) memory.swap = Number(swapLimit);
  else if (isSet(limit) && old.swap === old.limit) memory.swap = Number(limit);
  return memory;
}

/** Here a zero is a limit. The kubelet names every size it knows; those the machine cannot limit are not written. */
function hugepagesOf(
  old: Hugepages,
  cri: LinuxContainerResources__Output,
  { hugepageSizes, tolerateMissingHugetlb }: Abilities,
): Hugepages {
  const bySize = new Map(old.map((entry) => [entry.pageSize, entry]));
  for (const { pageSize, limit } of cri.hugepageLimits) {
    if (hugepageSizes.includes(pageSize)) bySize.set(pageSize, { pageSize, limit: Number(limit) });
    else if (isSet(limit) && !tolerateMissingHugetlb) {
      throw new Fault('failed_precondition', `huge pages of ${pageSize}: this machine cannot limit them`);
    }
  }
  return [...bySize.values()];
}

/** int64 on the wire is a decimal string. */
function isSet(value: string): boolean {
  return Number(value) !== 0;
}

import type { LinuxSandboxSecurityContext__Output as SandboxSecurity } from '../gen/runtime/v1/LinuxSandboxSecurityContext.ts';
import type { NamespaceOption__Output as NamespaceOption } from '../gen/runtime/v1/NamespaceOption.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { Fault } from '../lib/fault.ts';
import type { IdMappings } from '../lib/id-mappings.ts';
import { isSameIds } from '../lib/id-mappings.ts';
import type { RuntimeAbilities } from '../lib/runtime-abilities.ts';
import type { PodUserNamespace } from '../spec/id-mappings.ts';
import { podIds } from '../spec/id-mappings.ts';
import type { NamespaceRef } from '../spec/input.ts';
import { refuseWindows } from '../spec/security.ts';

/** Which namespaces a sandbox has for itself. The others are the machine's. */
export interface OwnNamespaces {
  readonly network: boolean;
  readonly ipc: boolean;
  readonly uts: boolean;
}

/** A pod on the host's network keeps the host's name too, as the kubelet expects. */
export function ownNamespaces(config: PodSandboxConfig): OwnNamespaces {
  const options = optionsOf(config.linux?.securityContext);
  const network = options?.network !== 'NODE';
  return { network, ipc: options?.ipc !== 'NODE', uts: network };
}

/**
 * Whether something only a process can hold is asked for: a pid namespace shared by the pod. Where
 * the config has no namespace options at all nobody asked for one, although the enum's zero is POD.
 */
export function sharesPids(config: PodSandboxConfig): boolean {
  return optionsOf(config.linux?.securityContext)?.pid === 'POD';
}

/** The ids of the pod's own user namespace, null where it has none. Throws `invalid_argument`. */
export function idsOf(config: PodSandboxConfig): IdMappings | null {
  return podIds(optionsOf(config.linux?.securityContext)?.usernsOptions);
}

/** The pod's own user namespace as its containers join it; `dir` is where its namespaces are pinned. */
export function userNamespaceOf(config: PodSandboxConfig, dir: string): PodUserNamespace | null {
  const ids = idsOf(config);
  return ids && { path: `${dir}/user`, ids };
}

/**
 * Refuses, with `invalid_argument`, a container that wants a namespace of the host which its pod was not admitted with,
 * and one with other ids than its pod. The kubelet tells both the same. POD is also what "not set" looks like, and
 * means whatever the pod has.
 */
export function checkNamespaces(config: PodSandboxConfig, options: NamespaceOption | null): void {
  const pod = optionsOf(config.linux?.securityContext);
  for (const kind of ['network', 'ipc', 'pid'] as const) {
    if (options?.[kind] === 'NODE' && pod?.[kind] !== 'NODE') {
      throw new Fault(
        'invalid_argument',
        `the ${kind} namespace of the host is asked for in a pod sandbox that does not have it`,
      );
    }
    if (options?.[kind] === 'TARGET' && kind !== 'pid') {
      throw new Fault(
        'invalid_argument',
        `${kind} namespace mode TARGET: a target has only its pid namespace to share`,
      );
    }
  }
  if (isSameIds(podIds(options?.usernsOptions), podIds(pod?.usernsOptions))) return;
  throw new Fault(
    'invalid_argument',
    "the container's user namespace options are not those of its pod sandbox",
  );
}

/** Refuses what cannot be held, before anything is done. */
export function refuseUnsupported(
  config: PodSandboxConfig,
  able: Pick<RuntimeAbilities, 'userNamespaces'> | undefined,
): void {
  refuseWindows(config);
  const options = optionsOf(config.linux?.securityContext);
  if (options?.pid === 'TARGET') {
    throw new Fault('invalid_argument', 'pid namespace mode TARGET is for containers, not for a pod sandbox');
  }
  const { runAsUser = null, runAsGroup = null } = config.linux?.securityContext ?? {};
  if (runAsGroup && !runAsUser)
    throw new Fault('invalid_argument', 'run_as_group is set without run_as_user');
  if (podIds(options?.usernsOptions) === null) return;
  // The kernel lets nobody mount the file systems of namespaces that belong to another user namespace.
  for (const kind of ['pid', 'ipc'] as const) {
    if (options?.[kind] !== 'NODE') continue;
    throw new Fault(
      'invalid_argument',
      `a pod with a user namespace cannot have the ${kind} namespace of the host`,
    );
  }
  if (!able?.userNamespaces) {
    const lack = 'its runtime has none, or this kernel lacks them or id-mapped layers (Linux 5.19)';
    throw new Fault('failed_precondition', `user namespaces: ${lack}`);
  }
}

/** What a container's namespaces are found by. */
export interface Pins {
  /** The directory that the sandbox's namespaces are pinned in. */
  readonly dir: string;
  /** Of the pause container, 0 where there is none. */
  readonly pausePid: number;
  /** Of the container that a TARGET names, 0 where none is named. */
  readonly targetPid: number;
}

/** Where each namespace of a container comes from. */
export function containerNamespaces(
  config: PodSandboxConfig,
  options: NamespaceOption | null,
  pins: Pins,
): Record<'network' | 'ipc' | 'uts' | 'pid', NamespaceRef> {
  const own = ownNamespaces(config);
  const pinned = (kind: keyof OwnNamespaces, file: string): NamespaceRef =>
    own[kind] ? { kind: 'path', path: `${pins.dir}/${file}` } : { kind: 'host' };
  return {
    network: pinned('network', 'net'),
    ipc: pinned('ipc', 'ipc'),
    uts: pinned('uts', 'uts'),
    pid: pidNamespace(options, optionsOf(config.linux?.securityContext), pins),
  };
}

function pidNamespace(
  own: NamespaceOption | null,
  pod: NamespaceOption | null,
  { pausePid, targetPid }: Pins,
): NamespaceRef {
  const mode = (own ?? pod)?.pid;
  if (mode === 'TARGET') return ofProcess(targetPid);
  if (mode === 'CONTAINER') return { kind: 'new' };
  // POD is also what "not set" looks like: without a pause container the pod shares no pid namespace of its own.
  if (mode === 'NODE' || pod?.pid === 'NODE') return { kind: 'host' };
  return pausePid > 0 ? ofProcess(pausePid) : { kind: 'new' };
}

function ofProcess(pid: number): NamespaceRef {
  return { kind: 'path', path: `/proc/${pid}/ns/pid` };
}

function optionsOf(security: SandboxSecurity | null | undefined): NamespaceOption | null {
  return security?.namespaceOptions ?? null;
}

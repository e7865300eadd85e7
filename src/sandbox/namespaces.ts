import type { LinuxSandboxSecurityContext__Output as SandboxSecurity } from '../gen/runtime/v1/LinuxSandboxSecurityContext.ts';
import type { NamespaceOption__Output as NamespaceOption } from '../gen/runtime/v1/NamespaceOption.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { Fault } from '../lib/fault.ts';
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

/** Refuses what cannot be held, before anything is done. */
export function refuseUnsupported(config: PodSandboxConfig): void {
  refuseWindows(config);
  const options = optionsOf(config.linux?.securityContext);
  if (options?.pid === 'TARGET') {
    throw new Fault('invalid_argument', 'pid namespace mode TARGET is for containers, not for a pod sandbox');
  }
  const { runAsUser = null, runAsGroup = null } = config.linux?.securityContext ?? {};
  if (runAsGroup && !runAsUser)
    throw new Fault('invalid_argument', 'run_as_group is set without run_as_user');
  if (options?.usernsOptions?.mode === 'POD') {
    throw new Fault('unimplemented', 'user namespaces for pods are not served yet');
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
    pid: pidNamespace(options ?? optionsOf(config.linux?.securityContext), pins),
  };
}

function pidNamespace(options: NamespaceOption | null, { pausePid, targetPid }: Pins): NamespaceRef {
  if (options?.pid === 'NODE') return { kind: 'host' };
  if (options?.pid === 'TARGET') return ofProcess(targetPid);
  // POD is also what "not set" looks like: without a pause container the pod shares no pid namespace.
  return options?.pid !== 'CONTAINER' && pausePid > 0 ? ofProcess(pausePid) : { kind: 'new' };
}

function ofProcess(pid: number): NamespaceRef {
  return { kind: 'path', path: `/proc/${pid}/ns/pid` };
}

function optionsOf(security: SandboxSecurity | null | undefined): NamespaceOption | null {
  return security?.namespaceOptions ?? null;
}

import { posix } from 'node:path';
import type { Mount__Output } from '../gen/runtime/v1/Mount.ts';
import type { MountInfo } from '../lib/host-facts.ts';
import type { SpecOption } from './build.ts';
import type { PodUserNamespace } from './id-mappings.ts';
import type { ContainerVolumes, NamespaceRef } from './input.ts';
import type { OciMount } from './oci.ts';
import { propagationOption } from './propagation.ts';

interface SystemAccess {
  privileged: boolean;
  /** Whether a container that is not may still make cgroups below its own. */
  cgroupWritable: boolean;
  /** Of the machine's cgroup file system, where the container has no cgroup namespace and so mounts the same one. */
  cgroupOptions: readonly string[];
  /** Whether it sees the machine's own sysfs, read-only, because nobody in its user namespace may mount one. */
  boundSys?: boolean;
}

/** The filesystems that every container gets of its own. Only a privileged one may write to /sys. */
export function systemMounts({
  privileged,
  cgroupWritable,
  cgroupOptions,
  boundSys = false,
}: SystemAccess): OciMount[] {
  const sysfs = privileged ? 'rw' : 'ro';
  const cgroup = privileged || cgroupWritable ? 'rw' : 'ro';
  return [
    mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    mount('/dev/mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
    boundSys
      ? bind('/sys', '/sys', ['nosuid', 'noexec', 'nodev', 'rro'])
      : mount('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', sysfs]),
    mount('/sys/fs/cgroup', 'cgroup', ['nosuid', 'noexec', 'nodev', 'relatime', cgroup, ...cgroupOptions]),
  ];
}

/** A sysfs shows a network, and the kernel lets only its owners mount one: the machine's is not a user namespace's. */
export function needsBoundSys(userns: PodUserNamespace | null, network: NamespaceRef): boolean {
  return userns !== null && network.kind === 'host';
}

interface SandboxFiles {
  files: { hostname: string; hosts: string; resolvConf: string; shm: string };
  ipc: NamespaceRef;
  readonlyRootfs: boolean;
}

/** What the containers of a pod have in common. Shared memory belongs to the IPC namespace, so it goes with it. */
export function sandboxMounts({ files, ipc, readonlyRootfs }: SandboxFiles): OciMount[] {
  const access = readonlyRootfs ? 'ro' : 'rw';
  return [
    bind('/etc/hostname', files.hostname, ['rprivate', access]),
    bind('/etc/hosts', files.hosts, ['rprivate', access]),
    bind('/etc/resolv.conf', files.resolvConf, ['rprivate', access]),
    sharedMemory(ipc, files.shm),
  ];
}

/** The sandbox's /dev/shm, or the machine's for a pod in the machine's IPC namespace. */
export function sharedMemory(ipc: NamespaceRef, shm: string): OciMount {
  const source = ipc.kind === 'host' ? '/dev/shm' : shm;
  return bind('/dev/shm', source, ['rprivate', 'nosuid', 'nodev', 'noexec', 'rw']);
}

interface ConfigMounts {
  mounts: readonly Mount__Output[];
  /** Host path to real path. */
  sources: Readonly<Record<string, string>>;
  volumes: ContainerVolumes;
  host: readonly MountInfo[];
}

/**
 * The config's mounts as bind mounts, after those of the volumes that the image declares. Of mounts that
 * `checkMounts` let pass. Throws `failed_precondition` for a propagation that the host does not have.
 */
export function configMounts({ mounts, sources, volumes, host }: ConfigMounts): OciMount[] {
  const declared = volumes.declared.map(({ path, source }) => bind(path, source, ['rprivate', 'rw']));
  const configured = mounts.map((wanted, place) => {
    const source = sources[wanted.hostPath] ?? wanted.hostPath;
    const propagation = propagationOption(wanted.propagation, source, host);
    const options = [propagation, ...accessOptions(wanted), ...wanted.mountOptions];
    return bind(posix.resolve(wanted.containerPath), volumes.prepared[place] ?? source, options);
  });
  return [...declared, ...configured];
}

/** The paths at which the image wants a volume and the config mounts nothing. */
export function declaredVolumes(declared: readonly string[], mounts: readonly Mount__Output[]): string[] {
  const taken = new Set(mounts.map(({ containerPath }) => posix.resolve(containerPath)));
  const wanted = new Set(declared.map((path) => posix.resolve('/', path)));
  return [...wanted].filter((path) => path !== '/' && !taken.has(path));
}

/** The config's mounts take the place of ours at the same path, and one at /dev takes that of all below it. */
export function withMounts(ours: OciMount[], configured: OciMount[]): SpecOption {
  const taken = new Set(configured.map(({ destination }) => destination));
  const replaced = new Set([...ours, ...configured].map(({ destination }) => destination));
  const kept = ours.filter(
    ({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')),
  );
  return (draft) => {
    const base = draft.mounts.filter(({ destination }) => !replaced.has(destination));
    draft.mounts = byDepth([...base, ...kept, ...configured]);
  };
}

/** A mount comes before those below it. Stable, so that at equal depth the order stays. */
export function byDepth(mounts: readonly OciMount[]): OciMount[] {
  return mounts.toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

/**
 * Mounts of the host reach a container only if its own root is not private, so that follows the most open of the
 * config's mounts.
 */
export function withRootfsPropagation(configured: readonly OciMount[]): SpecOption {
  const options = new Set(configured.flatMap(({ options: own }) => own));
  return ({ linux }) => {
    if (options.has('rshared')) linux.rootfsPropagation = 'rshared';
    else if (options.has('rslave')) linux.rootfsPropagation = 'rslave';
  };
}

function accessOptions({ readonly, recursiveReadOnly }: Mount__Output): string[] {
  if (recursiveReadOnly) return ['ro', 'rro'];
  return [readonly ? 'ro' : 'rw'];
}

function mount(destination: string, type: string, options: string[]): OciMount {
  return { destination, type, source: type, options };
}

function bind(destination: string, source: string, options: string[]): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', ...options] };
}

function depth(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}

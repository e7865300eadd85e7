import { posix } from 'node:path';
import type { Mount__Output } from '../gen/runtime/v1/Mount.ts';
import { Fault } from '../lib/fault.ts';
import type { MountInfo } from '../lib/host-facts.ts';
import type { SpecOption } from './build.ts';
import type { NamespaceRef } from './input.ts';
import type { OciMount } from './oci.ts';
import { propagationOption } from './propagation.ts';

/** The filesystems that every container gets of its own. Only a privileged one may write to /sys. */
export function systemMounts(privileged: boolean): OciMount[] {
  const sysfs = privileged ? 'rw' : 'ro';
  return [
    mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    mount('/dev/mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
    mount('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', sysfs]),
    mount('/sys/fs/cgroup', 'cgroup', ['nosuid', 'noexec', 'nodev', 'relatime', sysfs]),
  ];
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
  host: readonly MountInfo[];
}

/** The config's mounts as bind mounts. Throws `invalid_argument`, `failed_precondition` and `unimplemented`. */
export function configMounts({ mounts, sources, host }: ConfigMounts): OciMount[] {
  return mounts.map((wanted) => {
    refuseUnsupported(wanted);
    const source = sources[wanted.hostPath] ?? wanted.hostPath;
    const propagation = propagationOption(wanted.propagation, source, host);
    return bind(posix.resolve('/', wanted.containerPath), source, [propagation, ...accessOptions(wanted)]);
  });
}

/** The config's mounts take the place of ours at the same path, and one at /dev takes that of all below it. */
export function withMounts(ours: OciMount[], configured: OciMount[]): SpecOption {
  const taken = new Set(configured.map(({ destination }) => destination));
  const kept = ours.filter(
    ({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')),
  );
  return (draft) => {
    draft.mounts = byDepth([...kept, ...configured]);
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

function refuseUnsupported(wanted: Mount__Output): void {
  const at = `mount at "${wanted.containerPath}"`;
  if (!posix.isAbsolute(wanted.containerPath)) {
    throw new Fault('invalid_argument', `${at}: the container path is not absolute`);
  }
  if (wanted.image?.image) throw new Fault('unimplemented', `${at}: image volumes are not supported yet`);
  if (wanted.uidMappings.length > 0 || wanted.gidMappings.length > 0) {
    throw new Fault('unimplemented', `${at}: id-mapped mounts are not supported yet`);
  }
  if (wanted.mountOptions.length > 0) {
    throw new Fault('unimplemented', `${at}: mount options are not supported yet`);
  }
  if (!posix.isAbsolute(wanted.hostPath)) {
    throw new Fault('invalid_argument', `${at}: the host path "${wanted.hostPath}" is not absolute`);
  }
  const isPrivate = wanted.propagation === 'PROPAGATION_PRIVATE';
  if (wanted.recursiveReadOnly && !(wanted.readonly && isPrivate)) {
    throw new Fault('invalid_argument', `${at}: recursive_read_only needs readonly and private propagation`);
  }
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

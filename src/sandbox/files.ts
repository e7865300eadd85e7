import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { changeOwner, ensureDir, readSmallFile, removeTree, writeSmallFile } from '../host/files.ts';
import { mountTmpfs, unmount } from '../host/mounts.ts';
import { span } from '../lib/trace.ts';
import { resolvConf } from '../spec/hosts.ts';
import { idsOf, ownNamespaces } from './namespaces.ts';

/** Size of a pod's /dev/shm, as every runtime has it. */
const SHM_BYTES = 64 * 1024 * 1024;

/** The files of a sandbox that its containers get as mounts: paths on the host. */
export interface SandboxFiles {
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
  /** A directory. */
  readonly shm: string;
}

/** Where the files are, given the sandbox's state directory. A pod in the host's IPC namespace has its shm. */
export function sandboxFiles(dir: string, config: PodSandboxConfig): SandboxFiles {
  return {
    hostname: `${dir}/hostname`,
    hosts: `${dir}/hosts`,
    resolvConf: `${dir}/resolv.conf`,
    shm: ownNamespaces(config).ipc ? `${dir}/shm` : '/dev/shm',
  };
}

/** Makes them. `removeSandboxFiles` undoes it, also half-made. */
export async function makeSandboxFiles(
  dir: string,
  config: PodSandboxConfig,
  hostname: string,
): Promise<void> {
  await span('file', 'make sandbox files', () => make(dir, config, hostname));
}

async function make(dir: string, config: PodSandboxConfig, hostname: string): Promise<void> {
  const files = sandboxFiles(dir, config);
  await ensureDir(dir);
  const hostsFile = readSmallFile('/etc/hosts') ?? '127.0.0.1 localhost\n';
  const hostResolv = readSmallFile('/etc/resolv.conf') ?? '';
  writeSmallFile(files.hostname, `${hostname}\n`);
  writeSmallFile(files.hosts, hostsFile);
  writeSmallFile(files.resolvConf, resolvConf(config.dnsConfig, hostResolv));
  const ids = idsOf(config);
  // Root of the pod may write to them, as it may without a user namespace.
  const owner = { uid: ids?.uids.hostId ?? 0, gid: ids?.gids.hostId ?? 0 };
  if (ids) for (const path of [files.hostname, files.hosts, files.resolvConf]) await changeOwner(path, owner);
  if (!ownNamespaces(config).ipc) return;
  await ensureDir(files.shm);
  await mountTmpfs(files.shm, { sizeBytes: SHM_BYTES, mode: 0o1777, ...owner });
}

/** Takes the files and the mount away. Already gone is done. */
export async function removeSandboxFiles(dir: string): Promise<void> {
  await span('file', 'remove sandbox files', async () => {
    await unmount(`${dir}/shm`);
    await removeTree(dir);
  });
}

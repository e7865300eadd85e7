import type { ContainerConfig__Output as ContainerConfig } from '../../gen/runtime/v1/ContainerConfig.ts';
import { relabel } from '../../host/selinux.ts';
import type { SandboxFiles } from '../../sandbox/files.ts';
import type { ContainerVolumes } from '../../spec/input.ts';

interface Labelled {
  readonly config: ContainerConfig;
  readonly files: SandboxFiles;
  /** Each host path of the config's mounts to its real path. */
  readonly mountSources: Readonly<Record<string, string>>;
  readonly volumes: Pick<ContainerVolumes, 'declared'>;
}

/** The host paths that a container's label goes on: the sandbox's files, its volumes, and the mounts that ask for it. */
export function relabelled({ config, files, mountSources, volumes }: Labelled): string[] {
  const mounts = config.mounts.filter(({ selinuxRelabel, hostPath }) => selinuxRelabel && hostPath !== '');
  const own = [files.hostname, files.hosts, files.resolvConf, files.shm];
  // The machine's own shared memory is not ours to give away.
  const ours = own.filter((path) => path !== '/dev/shm');
  const declared = volumes.declared.map(({ source }) => source);
  return [
    ...new Set([...ours, ...declared, ...mounts.map(({ hostPath }) => mountSources[hostPath] ?? hostPath)]),
  ];
}

/** Labels them, where the container has a label for files. */
export async function relabelFiles(wish: Labelled, label: string | undefined): Promise<void> {
  if (label === undefined) return;
  for (const path of relabelled(wish)) await relabel(path, label);
}

import { readdir } from 'node:fs/promises';
import { readText } from './files.ts';
import { readMountInfo } from './mounts.ts';

/** A cgroup that is named after a container, with the processes in it over all hierarchies. */
export interface NamedCgroup {
  /** Below the root of each hierarchy. */
  readonly path: string;
  readonly id: string;
  readonly pids: number[];
}

/** By cgroupfs it is the id, by systemd a scope with a prefix. */
const NAME = /^(?:[\w.-]+-)?([0-9a-f]{64})(?:\.scope)?$/;

/** Finds the cgroups of these containers, wherever their parents are. */
export async function findCgroups(ids: ReadonlySet<string>): Promise<NamedCgroup[]> {
  const found = new Map<string, NamedCgroup>();
  if (ids.size === 0) return [];
  const mounts = (await readMountInfo()).filter(({ fsType }) => fsType === 'cgroup' || fsType === 'cgroup2');
  for (const { mountPoint } of mounts) {
    for (const path of await below(mountPoint, '')) {
      const id = NAME.exec(path.slice(path.lastIndexOf('/') + 1))?.[1];
      if (id === undefined || !ids.has(id)) continue;
      const pids = ((await readText(`${mountPoint}${path}/cgroup.procs`).catch(() => null)) ?? '').split(
        '\n',
      );
      const known = found.get(path)?.pids ?? [];
      const all = new Set([...known, ...pids.filter(Boolean).map(Number)]);
      found.set(path, { path, id, pids: [...all] });
    }
  }
  return [...found.values()];
}

// Cgroups come and go while they are listed: what vanishes is not there.
async function below(top: string, path: string): Promise<string[]> {
  const entries = await readdir(`${top}${path}`, { withFileTypes: true }).catch(() => []);
  const paths: string[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const child = `${path}/${entry.name}`;
    paths.push(child, ...(await below(top, child)));
  }
  return paths;
}

import type { Containerd } from '../containerd/client.ts';
import type { TypedAny } from '../containerd/typed-any.ts';
import { ensureDir, writeFileAtomic } from '../host/files.ts';
import { pauseProgram } from './pause-program.ts';

type Tasks = Pick<Containerd['tasks'], 'create' | 'start'>;

/** Where the runtime finds what it mounts over, since the root file system is read-only. */
const MOUNT_POINTS = ['proc', 'dev', 'sys', 'etc'];

/** The root file system of a sandbox's pause container. It goes with the sandbox's other files. */
export function pauseRoot(stateDir: string): string {
  return `${stateDir}/pause`;
}

/** Fills it: one program, and the directories that mounts go on. */
async function makeRoot(root: string): Promise<void> {
  const program = pauseProgram(process.arch);
  for (const dir of MOUNT_POINTS) await ensureDir(`${root}/${dir}`);
  await writeFileAtomic(`${root}/etc/resolv.conf`, '', 0o644);
  await writeFileAtomic(`${root}/pause`, program, 0o755);
}

/** Starts the process of a sandbox whose record is in containerd already. Answers its pid. */
export async function startPause(
  tasks: Tasks,
  id: string,
  options: { root: string; runtime: TypedAny | null; signal: AbortSignal },
): Promise<number> {
  const { root, runtime, signal } = options;
  await makeRoot(root);
  const io = { stdin: '', stdout: '', stderr: '', terminal: false };
  await tasks.create({ containerId: id, rootfs: [], ...io, options: runtime }, { signal });
  const { pid } = await tasks.start(id, '', { signal });
  return pid;
}

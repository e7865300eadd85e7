import { readdir } from 'node:fs/promises';
import { readText } from './files.ts';

/** A process that holds a container's task for containerd. */
export interface Shim {
  readonly pid: number;
  readonly namespace: string;
  /** Of the container that it was started for. */
  readonly id: string;
  /** The socket of its containerd. */
  readonly address: string;
}

/** All shims that run on this machine, whoever's they are. */
export async function listShims(): Promise<Shim[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await readText(`/proc/${pid}/cmdline`).catch(() => null); // it may end meanwhile
      return command === null ? null : shimFrom(Number(pid), command.split('\0'));
    }),
  );
  return found.filter((shim) => shim !== null);
}

/** Null for a process of another kind. */
export function shimFrom(pid: number, [program = '', ...args]: readonly string[]): Shim | null {
  if (!/(?:^|\/)containerd-shim-[^/]*$/.test(program)) return null;
  const after = (flag: string): string => {
    const at = args.findIndex((arg) => arg === `-${flag}` || arg === `--${flag}`);
    return at < 0 ? '' : (args[at + 1] ?? '');
  };
  const [namespace, id, address] = [after('namespace'), after('id'), after('address')];
  return namespace === '' || id === '' ? null : { pid, namespace, id, address };
}

import { readFile } from 'node:fs/promises';
import { Fault } from '../lib/fault.ts';

/**
 * Kills a process and all that descends from it. Children are found before their parents die, since
 * orphans are handed to another process and could not be told from its own.
 * @throws Fault invalid_argument for what is no pid: to kill(2) that is our own process group, or everybody.
 */
export async function killTree(pid: number): Promise<void> {
  if (!isPid(pid)) throw new Fault('invalid_argument', `kill process ${pid}: not a pid`);
  const found = [pid];
  for (let next = 0; next < found.length; next++) {
    const parent = found[next] ?? 0;
    // Stopped first, so that it makes no child that is not seen.
    signal(parent, 'SIGSTOP');
    found.push(...(await childrenOf(parent)));
  }
  for (const victim of found) signal(victim, 'SIGKILL');
}

async function childrenOf(pid: number): Promise<number[]> {
  try {
    // Of the first thread; children of other threads are handed to it when those end.
    const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    // It ended meanwhile, and has no children any more.
    return [];
  }
}

/** The process that a process is a child of, null when it is gone. */
export async function parentOf(pid: number): Promise<number | null> {
  // Reading it may also fail with ESRCH.
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name before it, in parentheses, may have any character.
  const parent = /^.*\) \S (\d+) /s.exec(stat)?.[1];
  return parent === undefined ? null : Number(parent);
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Whether there is a process of that pid. One that is not a pid at all is none. */
export function isAlive(pid: number): boolean {
  if (!isPid(pid)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function isPid(pid: number): boolean {
  return Number.isSafeInteger(pid) && pid > 0;
}

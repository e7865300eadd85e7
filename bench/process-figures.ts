import { readFileSync, writeFileSync } from 'node:fs';
import { processes } from '../test/fixtures/processes.ts';

/** Processor time that a process has used so far, in milliseconds; the kernel counts in hundredths of a second. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return 10 * (Number(user) + Number(system));
}

/** The most memory that a process had in RAM since it began or `forgetPeak`, in MiB. */
export function peakMiB(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** What a process has in RAM, in MiB: all of it, and with what it shares divided among those who do. */
export function memoryMiB(pid: number): { rss: number; pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]);
  return { rss: kib('Rss') / 1024, pss: kib('Pss') / 1024 };
}

/** Begins the count of `peakMiB` anew. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** PSS of all shims of a containerd and of what they started, divided among its pods, in MiB. */
export function pssPerPod(containerdDir: string, pods: number): number {
  const shims = processes().filter(
    ({ command }) => command.includes('containerd-shim') && command.includes(`${containerdDir}/`),
  );
  const all = shims.flatMap(({ pid }) => [pid, ...childrenOf(pid)]);
  return all.reduce((sum, pid) => sum + memoryMiB(pid).pss, 0) / pods;
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

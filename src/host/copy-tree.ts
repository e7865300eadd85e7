import { Fault } from '../lib/fault.ts';
import { runProcess } from './process.ts';

/** How long one copy may take, in milliseconds. */
const COPY_MS = 10 * 60_000;

/**
 * Copies what is in a directory into another, and gives that one its mode and owner: owners, modes, times, hard and
 * symbolic links, extended attributes. Nothing of the source is followed.
 */
export async function copyTree(source: string, target: string, signal: AbortSignal): Promise<void> {
  const { code, stderr } = await runProcess({
    file: 'cp',
    args: ['--archive', '--reflink=auto', '--no-target-directory', '--', source, target],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
    timeoutMs: COPY_MS,
    signal,
    maxOutput: 1024,
  });
  if (code !== 0) throw new Fault('internal', `copy ${source} to ${target}: ${stderr.toString().trim()}`);
}

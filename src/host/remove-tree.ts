import type { Stats } from 'node:fs';
import { lstatSync, readdirSync, rmdirSync, statfsSync, unlinkSync } from 'node:fs';
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';

import { allSettled } from '../lib/all-settled.ts';
import { Fault } from '../lib/fault.ts';
import { Turns } from '../lib/turns.ts';
import { hostFault, isErrno } from './errno.ts';
import { mountsBelow } from './mounts.ts';

/** Of tmpfs, from linux/magic.h. */
const TMPFS_MAGIC = 0x0102_1994;

/** How large a directory may be to be read at once, and a file in memory to be removed so. */
const SMALL = 64 * 1024;

/** So many files are removed side by side: a disk takes them faster so. */
const AT_ONCE = 8;

const SEPARATOR = Buffer.from('/');

/** What one removal goes by. */
interface Walk {
  /** Of the file system that the tree is on. */
  readonly device: number;
  /**
   * Whether it is in memory. Then a trip through the thread pool costs ten times what a removal does. On a disk a
   * removal may wait for the journal, which others must not wait for.
   */
  readonly inMemory: boolean;
  readonly turns: Turns;
}

/**
 * Removes a file or a directory with all that is in it, whatever the names are; done when there is none. Fails with
 * `failed_precondition` where something is mounted at or below it: that belongs to somebody else and stays as it is,
 * though some of what is beside it may be gone by then.
 *
 * The table of mounts, which grows with the number of pods, is not read for it: the kernel takes away no directory
 * and no file that something is mounted on, and says EBUSY.
 */
export async function removeTree(path: string): Promise<void> {
  const top = Buffer.from(path);
  try {
    const stat = lstatSync(top, { throwIfNoEntry: false });
    if (stat) await removeEntry(top, stat, walkFor(top, stat));
  } catch (error) {
    if (isErrno(error, 'EBUSY', 'EXDEV')) {
      const [mounted] = await mountsBelow(path);
      const why = mounted ? `${mounted.mountPoint} is still mounted` : String(error);
      throw new Fault('failed_precondition', `remove ${path}: ${why}`, { cause: error });
    }
    throw hostFault(`remove ${path}`, error);
  }
}

function walkFor(top: Buffer, stat: Stats): Walk {
  const inMemory = stat.isDirectory() && statfsSync(top).type === TMPFS_MAGIC;
  return { device: stat.dev, inMemory, turns: new Turns() };
}

async function removeEntry(path: Buffer, stat: Stats, walk: Walk): Promise<void> {
  if (stat.isDirectory()) return await removeDirectory(path, stat, walk);
  try {
    if (walk.inMemory && stat.size <= SMALL) unlinkSync(path);
    else await unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

async function removeDirectory(path: Buffer, { size, dev }: Stats, walk: Walk): Promise<void> {
  const names = await namesIn(path, size);
  if (names === null) return;
  // Asked before anything is removed, since this tells a mount point (EBUSY) from a directory that has something in it.
  if (names.length > 0 && removeIfEmpty(path)) return;
  // A mount that came or went between two of our looks must not be emptied either.
  if (dev !== walk.device) {
    throw Object.assign(new Error(`EXDEV: ${path.toString()} is of another file system`), { code: 'EXDEV' });
  }
  const files: [Buffer, Stats][] = [];
  for (const name of names) {
    if (walk.turns.over()) await walk.turns.next();
    const child = Buffer.concat([path, SEPARATOR, name]);
    const stat = walk.inMemory ? lstatSync(child, { throwIfNoEntry: false }) : await lookAt(child);
    // What is mounted is found before much is gone: it is on directories, or deeper down.
    if (stat?.isDirectory()) await removeEntry(child, stat, walk);
    else if (stat) files.push([child, stat]);
  }
  for (let start = 0; start < files.length; start += AT_ONCE) {
    if (walk.turns.over()) await walk.turns.next();
    await allSettled(
      files.slice(start, start + AT_ONCE).map(([child, stat]) => removeEntry(child, stat, walk)),
    );
  }
  try {
    if (walk.inMemory) rmdirSync(path);
    else await rmdir(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Null for a directory that somebody else took away meanwhile. */
async function namesIn(path: Buffer, size: number): Promise<Buffer[] | null> {
  try {
    return size <= SMALL ? readdirSync(path, 'buffer') : await readdir(path, 'buffer');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

/** On a disk a look may have to wait for it. Null when there is nothing any more. */
async function lookAt(path: Buffer): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

/** False where there is something in it. Already gone is done. */
function removeIfEmpty(path: Buffer): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}

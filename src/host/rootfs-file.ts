import { constants } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';

import { hostFault, isErrno } from './errno.ts';
import { readRegularFile } from './regular-file.ts';
import { attribute } from './syscalls.ts';

/** A snapshot's mount, as containerd gives it. */
export interface RootfsMount {
  type: string;
  source: string;
  options: string[];
}

/** /etc/passwd of a large site fits many times over. An image must not fill our memory. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_SYMLINKS = 40;

/** A directory of the root filesystem: where it is in each layer, the topmost first. */
type Merged = string[];

/** What a name stands for: a directory, or the one layer's file that shows. */
type Entry = { directory: Merged } | { file: string; symlink: boolean };

/**
 * Reads a text file of a root filesystem that is not mounted, through the layers of an overlay or
 * below the source of any other mount. Null when there is no such regular file. Symlinks are
 * followed within the root and never out of it.
 */
export async function readRootfsFile(mounts: RootfsMount[], path: string): Promise<string | null> {
  const mount = mounts.at(-1);
  if (!mount) return null;
  try {
    const file = await find(layersOf(mount), path);
    // An image may put a device or a FIFO there.
    return file === null ? null : await readRegularFile(file, MAX_BYTES, constants.O_NOFOLLOW);
  } catch (error) {
    throw hostFault(`read ${path} of the root filesystem`, error);
  }
}

/** The directories that make up the root, the topmost first. */
export function layersOf({ type, source, options }: RootfsMount): Merged {
  if (!['overlay', 'fuse3.fuse-overlayfs'].includes(type)) return [source];
  const layers: Merged = [];
  for (const option of options) {
    const [, key, value] = /^(upperdir|lowerdir\+?)=(.*)$/s.exec(option) ?? [];
    if (value === undefined) continue;
    if (key === 'upperdir') layers.unshift(value);
    // A colon or backslash in a layer's own path has a backslash before it.
    else
      for (const [lower] of value.matchAll(/(?:\\.|[^:\\])+/gs))
        layers.push(lower.replaceAll(/\\(.)/gs, '$1'));
  }
  return layers;
}

/** Walks from the root, one name at a time, as the kernel would after a chroot. */
async function find(root: Merged, path: string): Promise<string | null> {
  const ahead = path.split('/');
  let trail: Merged[] = [root];
  let symlinks = 0;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const entry = await look(trail.at(-1) ?? root, name);
    if (entry === null) return null;
    if ('directory' in entry) {
      trail.push(entry.directory);
    } else if (entry.symlink) {
      if (++symlinks > MAX_SYMLINKS) return null;
      const target = await readlink(entry.file);
      if (target.startsWith('/')) trail = [root];
      ahead.unshift(...target.split('/'));
    } else {
      return ahead.every((rest) => rest === '') ? entry.file : null;
    }
  }
  return null; // a directory
}

/** What `name` is in a merged directory: a file hides all below it, directories add up. */
async function look(directory: Merged, name: string): Promise<Entry | null> {
  const merged: Merged = [];
  for (const layer of directory) {
    const path = `${layer}/${name}`;
    const found = await kindOf(path);
    if (found === 'nothing') continue;
    if (found === 'whiteout') break;
    if (found === 'directory') {
      merged.push(path);
      if (isOpaque(path)) break;
    } else {
      if (merged.length > 0) break;
      return { file: path, symlink: found === 'symlink' };
    }
  }
  return merged.length > 0 ? { directory: merged } : null;
}

async function kindOf(path: string): Promise<'nothing' | 'whiteout' | 'directory' | 'symlink' | 'file'> {
  try {
    const found = await lstat(path);
    if (found.isDirectory()) return 'directory';
    if (found.isSymbolicLink()) return 'symlink';
    return found.isCharacterDevice() && found.rdev === 0 ? 'whiteout' : 'file';
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return 'nothing';
    throw error;
  }
}

/** Overlay's mark of a directory that replaces those of the layers below. */
function isOpaque(path: string): boolean {
  return ['trusted', 'user'].some((space) => attribute(path, `${space}.overlay.opaque`) === 'y');
}

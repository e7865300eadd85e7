import { chownSync, closeSync, openSync, statSync } from 'node:fs';
import { posix } from 'node:path';

import { Fault } from '../lib/fault.ts';
import type { IdMappings } from '../lib/id-mappings.ts';
import { hostIdOf } from '../lib/id-mappings.ts';
import { hostFault, isErrno } from './errno.ts';
import type { RootfsMount } from './rootfs-file.ts';
import { layersOf } from './rootfs-file.ts';
import { escapedLayers } from './snapshot-mounts.ts';
import { cloneTree, close, moveMount, setIdMap } from './syscalls.ts';

/**
 * Mounts `source`, with all that is mounted below it, on `target`, a file or directory as it is, with the ids of the
 * user namespace at path `userns`: what belongs to id 0 on disk belongs to the namespace's id 0.
 */
export function idMappedBind(source: string, target: string, userns: string): void {
  try {
    const ids = openSync(userns, 'r');
    try {
      bindMapped(source, target, ids);
    } finally {
      closeSync(ids);
    }
  } catch (error) {
    if (isErrno(error, 'EINVAL') && (error as NodeJS.ErrnoException).syscall === 'mount_setattr') {
      const lack = 'its file system, or one mounted below it, cannot be id-mapped by this kernel';
      throw new Fault('failed_precondition', `id-map ${source}: ${lack}`, { cause: error });
    }
    throw hostFault(`id-map ${source}`, error);
  }
}

function bindMapped(source: string, target: string, ids: number): void {
  const tree = cloneTree(source);
  try {
    setIdMap(tree, ids);
    moveMount(tree, target);
  } finally {
    close(tree);
  }
}

/**
 * The directory of a snapshot that has to be id-mapped for a container in a user namespace: the one that all its
 * read-only layers are in. One mount is enough for any number of layers.
 */
export function idMappedPart(mounts: readonly RootfsMount[]): string {
  const mount = theOne(mounts);
  if (mount.type === 'bind') return mount.source;
  const lowers = lowersOf(mount);
  const [first = '/'] = lowers;
  let common = lowers.length > 1 ? posix.dirname(first) : first;
  while (common !== '/' && !lowers.every((lower) => lower === common || lower.startsWith(`${common}/`))) {
    common = posix.dirname(common);
  }
  if (common !== '/') return common;
  throw new Fault('unimplemented', 'the layers of this snapshot are in no directory of their own');
}

/** The same snapshot, with the part that `idMappedPart` names taken from `at`, where it is mounted with other ids. */
export function onIdMapped<M extends RootfsMount>(mounts: readonly M[], at: string): M[] {
  const mount = theOne(mounts);
  if (mount.type === 'bind') return [{ ...mount, source: at }];
  const part = idMappedPart(mounts);
  const lowers = lowersOf(mount).map((lower) => `${at}${lower.slice(part.length)}`);
  const others = mount.options.filter((option) => !/^lowerdir\+?=/.test(option));
  return [{ ...mount, options: [...others, `lowerdir=${escapedLayers(lowers)}`] }];
}

/**
 * Gives the directory that a container's changes go to, which is the root of its file system, to the same user
 * in the namespace. Once: what was given is the machine's view from then on.
 */
export function giveUpper(mounts: readonly RootfsMount[], ids: IdMappings): void {
  const upper = upperOf(theOne(mounts));
  if (upper === null) return;
  const { uid, gid } = statSync(upper);
  const [user, group] = [hostIdOf(uid, ids.uids), hostIdOf(gid, ids.gids)];
  if (user === null || group === null) {
    throw new Fault(
      'failed_precondition',
      `the root of the image belongs to ${uid}:${gid}, which is not mapped`,
    );
  }
  chownSync(upper, user, group);
}

function theOne<M extends RootfsMount>(mounts: readonly M[]): M {
  const [mount, ...more] = mounts;
  if (mount && more.length === 0 && ['overlay', 'bind'].includes(mount.type)) return mount;
  const types = mounts.map(({ type }) => type).join(', ');
  throw new Fault('unimplemented', `a snapshot that is mounted as ${types || 'nothing'} cannot be id-mapped`);
}

function lowersOf(mount: RootfsMount): string[] {
  return layersOf(mount).slice(upperOf(mount) === null ? 0 : 1);
}

function upperOf({ options }: RootfsMount): string | null {
  const upper = options.find((option) => option.startsWith('upperdir='));
  return upper === undefined ? null : upper.slice('upperdir='.length);
}

import { closeSync, constants, openSync } from 'node:fs';

import { Fault } from '../lib/fault.ts';
import { hostFault } from './errno.ts';
import type { RootfsMount } from './rootfs-file.ts';
import { layersOf } from './rootfs-file.ts';
import { MS_BIND, MS_RDONLY, MS_REMOUNT, mount } from './syscalls.ts';

/** What mount(2) takes as its last argument has to fit into one page. */
const MAX_DATA = 4000;

/** Options of a snapshot's overlay that are about writing, or about what `layersOf` tells. */
const DROPPED = /^(?:ro|rw|rbind|bind|volatile|upperdir=.*|workdir=.*|lowerdir\+?=.*|[ug]idmap=.*)$/s;

/** Mounts a snapshot at a directory that exists, so that nobody can write to it, whatever kind it is. */
export function mountReadOnly(mounts: readonly RootfsMount[], target: string): void {
  const [only, ...more] = mounts;
  if (!only || more.length > 0) {
    throw new Fault('unimplemented', `a snapshot of ${mounts.length} mounts cannot be mounted here`);
  }
  try {
    mountOne(only, target);
  } catch (error) {
    throw hostFault(`mount a snapshot of type ${only.type}`, error);
  }
}

function mountOne(snapshot: RootfsMount, target: string): void {
  const { type, source, options } = snapshot;
  const rest = options.filter((option) => !DROPPED.test(option));
  const layers = layersOf(snapshot);
  const [bottom] = layers;
  if (type === 'overlay' && bottom !== undefined) {
    // Overlay wants two directories at least; one that is alone is seen as it is.
    if (layers.length === 1) mountBind(bottom, target);
    else mountLayers(layers, rest, target);
  } else if (type === 'bind') {
    mountBind(source, target);
  } else {
    mount(target, { source, type, flags: MS_RDONLY, data: rest.join(',') });
  }
}

/** The kernel takes the flags of a new bind mount from its source, so read-only comes as a second step. */
function mountBind(source: string, target: string): void {
  mount(target, { source, type: null, flags: MS_BIND, data: null });
  mount(target, { source: null, type: null, flags: MS_BIND | MS_REMOUNT | MS_RDONLY, data: null });
}

function mountLayers(layers: readonly string[], options: readonly string[], target: string): void {
  const data = (names: readonly string[]) => [...options, `lowerdir=${escapedLayers(names)}`].join(',');
  const overlay = (names: readonly string[]) =>
    mount(target, { source: 'overlay', type: 'overlay', flags: MS_RDONLY, data: data(names) });
  if (Buffer.byteLength(data(layers)) <= MAX_DATA) return overlay(layers);

  // Too many or too long: what a descriptor is open on has a short name too.
  const fds: number[] = [];
  try {
    for (const layer of layers) fds.push(openSync(layer, constants.O_RDONLY | constants.O_DIRECTORY));
    overlay(fds.map((fd) => `/proc/self/fd/${fd}`));
  } finally {
    fds.forEach(closeSync);
  }
}

/** Directories as the value of overlay's lowerdir option. */
export function escapedLayers(names: readonly string[]): string {
  return names.map((name) => name.replaceAll(/[\\:,]/g, '\\$&')).join(':');
}

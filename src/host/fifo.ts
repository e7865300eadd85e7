import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';

import { Fault, isCode } from '../lib/fault.ts';
import { hostFault, isErrno } from './errno.ts';
import { mkfifo, setPipeSize } from './syscalls.ts';

/**
 * What a FIFO may hold before its writer waits. A container that says less than this while cristal
 * restarts does not stall. 1 MiB is the kernel's default limit for a single pipe.
 */
const CAPACITY = 1024 * 1024;

/** Makes a FIFO (0600) in a directory that exists. One that is there already will do. */
export function makeFifo(path: string): void {
  try {
    mkfifo(path, 0o600);
  } catch (error) {
    if (isErrno(error, 'EEXIST') && lstatSync(path).isFIFO()) return;
    throw hostFault('make FIFO', error);
  }
}

/**
 * Makes a directory, with those that it lacks above it, and FIFOs in it. All at once: each of the calls takes some
 * microseconds, for the directory of FIFOs is one in memory.
 */
export function makeFifoDir(dir: string, paths: readonly string[]): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw hostFault(`make directory ${dir}`, error);
  }
  for (const path of paths) makeFifo(path);
}

/** Takes away what `makeFifoDir` made, and nothing else. Already gone is done. */
export function removeFifoDir(dir: string, paths: readonly string[]): void {
  for (const path of paths) removeFifo(path);
  try {
    rmdirSync(dir);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw hostFault(`remove ${dir}`, error);
  }
}

/** Already gone is done. */
export function removeFifo(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw hostFault(`remove ${path}`, error);
  }
}

/**
 * Opens a FIFO to read from, at once, whether or not it has a writer. Non-blocking and enlarged to
 * 1 MiB where the kernel lets us. The end of the stream comes when the last writer has closed, and
 * not before there was a first one. The caller owns the descriptor.
 */
export function openFifoReader(path: string): number {
  return openFifo(path, constants.O_RDONLY);
}

/** Opens a FIFO to write to. Fails with `failed_precondition` while it has no reader. */
export function openFifoWriter(path: string): number {
  return openFifo(path, constants.O_WRONLY);
}

/**
 * Opens a FIFO as reader and writer at once, which never waits for another side: for who only wants
 * its readers not to see an end. The caller owns the descriptor.
 */
export function openFifoReadWrite(path: string): number {
  return openFifo(path, constants.O_RDWR);
}

/** Whether any process has a FIFO open to read, as the shim has while it copies a container's output. */
export function hasReader(path: string): boolean {
  try {
    closeSync(openFifoWriter(path));
    return true;
  } catch (error) {
    if (isCode(error, 'failed_precondition') || isCode(error, 'not_found')) return false;
    throw error;
  }
}

/** Closes a descriptor that one of the functions here opened. */
export function closeFd(fd: number): void {
  closeSync(fd);
}

function openFifo(path: string, direction: number): number {
  const fd = openNonBlocking(path, direction);
  if (!fstatSync(fd).isFIFO()) {
    closeSync(fd);
    throw new Fault('failed_precondition', `open FIFO ${path}: it is not a FIFO`);
  }
  try {
    setPipeSize(fd, CAPACITY);
  } catch (error) {
    // The limit is the host's policy, and a smaller pipe works too, only with less reserve.
    if (!isErrno(error, 'EPERM', 'EBUSY')) {
      closeSync(fd);
      throw hostFault(`enlarge FIFO ${path}`, error);
    }
  }
  return fd;
}

/** Node adds O_CLOEXEC to every open. */
function openNonBlocking(path: string, direction: number): number {
  try {
    return openSync(path, direction | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, 'ENXIO')) {
      throw new Fault('failed_precondition', `open FIFO ${path}: nobody reads from it`, { cause: error });
    }
    throw hostFault('open FIFO', error);
  }
}

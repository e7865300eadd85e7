import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  fchmodSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { access, lchown, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { Fault } from '../lib/fault.ts';
import { hostFault, isErrno } from './errno.ts';

export { removeTree } from './remove-tree.ts';

/**
 * Replaces a file whole: a reader sees the old text or the new, also after a crash of this process.
 * Not synced, since all that it describes ends with the machine; a power cut may leave it empty.
 * `mode` is that of the new file, 0644 unless told.
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await using file = await open(temporary, 'wx', mode);
    await file.chmod(mode); // whatever the umask took away
    await file.writeFile(data);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw hostFault(`write ${path}`, error);
  }
}

/**
 * Writes a small file at once, for a directory that nobody looks into before it is full: some 30 µs, where
 * `writeFileAtomic` makes five trips through the thread pool. `mode` is that of a new file, 0644 unless told.
 */
export function writeSmallFile(path: string, data: string, mode = 0o644): void {
  try {
    const fd = openSync(path, 'w', mode);
    try {
      fchmodSync(fd, mode); // whatever the umask took away
      writeFileSync(fd, data);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw hostFault(`write ${path}`, error);
  }
}

/** The text of a file, or null where there is none. */
export async function readText(path: string): Promise<string | null> {
  const bytes = await readBytes(path);
  return bytes === null ? null : bytes.toString('utf8');
}

/** As `readText`, at once: for small files that are read so often that the kernel has them in memory. */
export function readSmallFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw hostFault(`read ${path}`, error);
  }
}

/** The bytes of a file, or null where there is none. */
export async function readBytes(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw hostFault(`read ${path}`, error);
  }
}

/** Makes a directory and its missing parents, with `mode` (0755 unless told) for those it makes. */
export async function ensureDir(path: string, mode = 0o755): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
  } catch (error) {
    throw hostFault(`make directory ${path}`, error);
  }
}

/** The bytes of a file as they are read. Iterating throws what opening or reading does. */
export async function* streamFile(path: string): AsyncGenerator<Buffer, void, undefined> {
  yield* createReadStream(path) as AsyncIterable<Buffer>;
}

/** Writes a file (0600) as its bytes come. It has its name only when all of them are there. */
export async function saveStream(path: string, data: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    // Opened before the first byte is asked for: a write stream that fails early may still make its file later.
    await using file = await open(temporary, 'wx', 0o600);
    for await (const chunk of data) await file.writeFile(chunk);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error instanceof Fault ? error : hostFault(`write ${path}`, error);
  }
}

export async function changeOwner(path: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  try {
    await lchown(path, uid, gid);
  } catch (error) {
    throw hostFault(`give ${path} to ${uid}:${gid}`, error);
  }
}

/**
 * Makes an empty file, or a directory, of the kind that `like` is, and its missing parents, all for their owner
 * alone. One that is there already is fine.
 */
export async function ensureAlike(path: string, like: string): Promise<void> {
  try {
    const isDirectory = (await stat(like)).isDirectory();
    await mkdir(isDirectory ? path : dirname(path), { recursive: true, mode: 0o700 });
    if (!isDirectory) await (await open(path, 'a', 0o600)).close();
  } catch (error) {
    throw hostFault(`make ${path} like ${like}`, error);
  }
}

/** The names in a directory, sorted; none where there is no directory. */
export async function listDir(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw hostFault(`list ${path}`, error);
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw hostFault(`look for ${path}`, error);
  }
}

/** A file that is only ever added to, by one writer. */
export interface AppendFile extends AsyncDisposable {
  /** Writes all of `data`, or rejects; then a part of it may be in the file. */
  append(data: Uint8Array): Promise<void>;
}

/** Opens a log file to append to (0640), and makes it and its directories (0755) as needed. */
export async function openAppend(path: string): Promise<AppendFile> {
  await ensureDir(dirname(path));
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o640);
    // A write that failed half-way leaves a line without its end: the next one must not join it.
    let torn = false;
    return {
      async append(data) {
        let rest = torn ? Buffer.concat([Buffer.from('\n'), data]) : data;
        try {
          while (rest.length > 0) {
            const { bytesWritten } = await file.write(rest);
            torn = bytesWritten < rest.length && rest[bytesWritten - 1] !== 10;
            rest = rest.subarray(bytesWritten);
          }
        } catch (error) {
          throw hostFault(`write ${path}`, error);
        }
      },
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    throw hostFault(`open ${path}`, error);
  }
}

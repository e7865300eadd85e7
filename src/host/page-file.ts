import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

import { hostFault } from './errno.ts';

/** No larger than a page of memory anywhere, so that the kernel changes all of it in one step. */
const PAGE = 4096;

/**
 * Writes a small text file whole, and makes its directory. One that fills a page is written over where it is: that
 * is one change in memory, which a crash of ours comes before or after, which never waits for a journal (16 µs in
 * place of 0.7 ms for a temporary file and a rename, on a busy disk), and which a full disk does not refuse. So the
 * text is padded with blanks to a page. The first text, and one that is longer, gets its name by a rename.
 *
 * Synchronous: two texts for one file never mix. Not synced: after a power cut the file may be an older one, empty,
 * or, where the disk writes less than a page at a time, made of two. The text has to tell that it is whole.
 */
export function writePage(path: string, text: string): void {
  try {
    const data = Buffer.from(text);
    const page = data.length < PAGE ? Buffer.alloc(PAGE, ' ') : data;
    data.copy(page);
    if (page !== data) page[PAGE - 1] = 10; // as a text file ends
    if (page.length !== PAGE || !overwrite(path, page)) replace(path, page);
  } catch (error) {
    throw hostFault(`write ${path}`, error);
  }
}

/** False where there is no file of one page: an older cristal wrote it, or nobody did. */
function overwrite(path: string, page: Buffer): boolean {
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch {
    return false; // whatever is wrong with it, replacing it tells
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size === PAGE && writeSync(fd, page, 0, PAGE, 0) === PAGE;
  } finally {
    closeSync(fd);
  }
}

function replace(path: string, page: Buffer): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    const fd = openSync(temporary, 'wx', 0o644);
    try {
      for (let done = 0; done < page.length; ) done += writeSync(fd, page, done);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

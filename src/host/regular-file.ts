import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { Fault } from '../lib/fault.ts';

/**
 * The text of a file, or null for what is no regular file: a device or a FIFO in its place does not block us.
 * Throws the system's own errors, and `invalid_argument` for more than `maxBytes`.
 * @param flags more of open(2)'s, such as O_NOFOLLOW.
 */
export async function readRegularFile(path: string, maxBytes: number, flags = 0): Promise<string | null> {
  await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  const found = await handle.stat();
  if (!found.isFile()) return null;
  if (found.size > maxBytes) {
    throw new Fault('invalid_argument', `it has ${found.size} bytes, more than ${maxBytes}`);
  }
  return handle.readFile('utf8');
}

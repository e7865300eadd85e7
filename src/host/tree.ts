import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hostFault } from './errno.ts';
import { streamFile } from './files.ts';

/** A regular file somewhere below a directory. */
export interface TreeFile {
  /** Relative to the directory. */
  readonly name: string;
  readonly size: number;
  read(): AsyncIterable<Buffer>;
}

/** All regular files below a directory, sorted by name. */
export async function listTree(dir: string): Promise<TreeFile[]> {
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    return await Promise.all(
      paths.sort().map(async (path) => {
        const { size } = await stat(path);
        return { name: relative(dir, path), size, read: () => streamFile(path) };
      }),
    );
  } catch (error) {
    throw hostFault(`list ${dir}`, error);
  }
}

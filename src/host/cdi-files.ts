import { stat } from 'node:fs/promises';
import { extname } from 'node:path';

import { isErrno } from './errno.ts';
import { listDir, readText } from './files.ts';

/** A device file of the Container Device Interface, with its text. */
export interface CdiText {
  path: string;
  /** Of its directory: later ones win. */
  priority: number;
  text: string;
}

/** Reads the device files of some directories, and again only those that changed. */
export class CdiFiles {
  readonly #dirs: readonly string[];
  #known = new Map<string, { stamp: string; file: CdiText }>();
  #last: readonly CdiText[] = [];

  constructor(dirs: readonly string[]) {
    this.#dirs = dirs;
  }

  /** The files in the order of the directories and by name. The same list as before when nothing changed. */
  async read(): Promise<readonly CdiText[]> {
    const paths = await Promise.all(
      this.#dirs.map(async (dir) => (await listDir(dir)).map((name) => `${dir}/${name}`)),
    );
    const wanted = paths.flatMap((list, priority) =>
      list.filter((path) => ['.json', '.yaml'].includes(extname(path))).map((path) => ({ path, priority })),
    );
    const found = (await Promise.all(wanted.map(async (each) => await this.#readOne(each)))).flat();
    this.#known = new Map(found.map((entry) => [entry.file.path, entry]));
    const files = found.map(({ file }) => file);
    const same = files.length === this.#last.length && files.every((file, i) => file === this.#last[i]);
    if (!same) this.#last = files;
    return this.#last;
  }

  /** None when it went since the directory was read. */
  async #readOne({ path, priority }: { path: string; priority: number }) {
    const stamp = await stampOf(path);
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return [known];
    const text = stamp === null ? null : await readText(path);
    return stamp === null || text === null ? [] : [{ stamp, file: { path, priority, text } }];
  }
}

/** What changes when a file does: it is replaced, written to or given another length. */
async function stampOf(path: string): Promise<string | null> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Fault } from '../../lib/fault.ts';

/** Where the plugins' programs are. What was found is remembered until it is forgotten. */
export class PluginBinaries {
  readonly dirs: readonly string[];
  readonly #found = new Map<string, string>();

  constructor(dirs: readonly string[]) {
    this.dirs = dirs;
  }

  /** The program's path. Throws `unavailable`: plugins are often installed after the runtime starts. */
  async find(type: string): Promise<string> {
    const known = this.#found.get(type);
    if (known !== undefined) return known;
    for (const dir of this.dirs) {
      const path = join(dir, type);
      if (!(await isProgram(path))) continue;
      this.#found.set(type, path);
      return path;
    }
    throw new Fault('unavailable', `no executable "${type}" in ${this.dirs.join(', ')}`);
  }

  /** Of `types`, those without a program. Costs nothing once all were found. */
  async missing(types: readonly string[]): Promise<string[]> {
    const found = await Promise.all(
      types.map((type) =>
        this.find(type).then(
          () => true,
          () => false,
        ),
      ),
    );
    return types.filter((_type, index) => found[index] === false);
  }

  forget(type: string): void {
    this.#found.delete(type);
  }

  forgetAll(): void {
    this.#found.clear();
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false; // absent, or not ours to run: the next directory may have it
  }
}

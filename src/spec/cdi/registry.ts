import { Fault } from '../../lib/fault.ts';
import type { CdiDocument } from './document.ts';
import type { CdiEdits } from './edits.ts';

/** A file of a CDI directory, read. */
export interface CdiFile {
  path: string;
  /** Of its directory: the higher one wins. */
  priority: number;
  /** Why it cannot be used, or what it says. */
  content: { problem: string } | CdiDocument;
}

interface Entry {
  file: CdiFile;
  document: CdiDocument;
  edits: CdiEdits;
  /** Another file of the same priority that has the device too. */
  rival: string | null;
}

/** What the CDI files of this machine offer, by full device name. */
export class CdiRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #problems: string[];

  constructor(files: readonly CdiFile[]) {
    this.#problems = files.flatMap(({ path, content }) =>
      'problem' in content ? [`${path}: ${content.problem}`] : [],
    );
    for (const file of files) if (!('problem' in file.content)) this.#add(file, file.content);
  }

  /**
   * The edits for these devices in their order; those of a file come once, before those of its first device.
   * Throws `invalid_argument` that names every device that cannot be had, and why.
   */
  resolve(names: readonly string[]): CdiEdits[] {
    const found = names.map((name) => ({ name, entry: this.#entries.get(name) }));
    const missing = found.filter(({ entry }) => !entry || entry.rival !== null);
    if (missing.length > 0) throw this.#unresolvable(missing);

    const applied = new Set<CdiDocument>();
    return found.flatMap(({ entry }) => {
      if (!entry) return [];
      const first = !applied.has(entry.document);
      applied.add(entry.document);
      return first ? [entry.document.edits, entry.edits] : [entry.edits];
    });
  }

  #add(file: CdiFile, document: CdiDocument): void {
    for (const { name, edits } of document.devices) {
      const full = `${document.kind}=${name}`;
      const known = this.#entries.get(full);
      if (known && known.file.priority > file.priority) continue;
      const rival = known?.file.priority === file.priority ? known.file.path : null;
      this.#entries.set(full, { file, document, edits, rival });
    }
  }

  #unresolvable(missing: { name: string; entry: Entry | undefined }[]): Fault {
    const reasons = missing.map(({ name, entry }) =>
      entry ? `${name} (both ${entry.rival} and ${entry.file.path} have it)` : `${name} (no CDI file has it)`,
    );
    const broken =
      this.#problems.length > 0 ? `; files that cannot be used: ${this.#problems.join('; ')}` : '';
    return new Fault('invalid_argument', `unresolvable CDI devices: ${reasons.join(', ')}${broken}`);
  }
}

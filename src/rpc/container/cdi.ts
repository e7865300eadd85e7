import type { CdiText } from '../../host/cdi-files.ts';
import { CdiFiles } from '../../host/cdi-files.ts';
import { deviceAt } from '../../host/devices.ts';
import { messageOf } from '../../lib/fault.ts';
import type { HostDevice } from '../../lib/host-facts.ts';
import { readDocument } from '../../spec/cdi/document.ts';
import type { CdiEdits } from '../../spec/cdi/edits.ts';
import type { CdiFile } from '../../spec/cdi/registry.ts';
import { CdiRegistry } from '../../spec/cdi/registry.ts';

/** What the CDI devices of a container change in its spec. */
export interface CdiWish {
  edits: CdiEdits[];
  /** What is at the host path of each of their device nodes. */
  nodes: Record<string, HostDevice | null>;
}

/** The CDI devices of this machine. Files that came or changed are seen at the next question. */
export class CdiDevices {
  readonly #files: CdiFiles;
  #read: { texts: readonly CdiText[]; registry: CdiRegistry } | null = null;

  constructor(dirs: readonly string[]) {
    this.#files = new CdiFiles(dirs);
  }

  /** Rejects with `invalid_argument` that names each device that cannot be had. */
  async find(names: readonly string[]): Promise<CdiWish> {
    if (names.length === 0) return { edits: [], nodes: {} };
    const edits = (await this.#registry()).resolve(names);
    const paths = edits.flatMap(({ deviceNodes }) => deviceNodes.map(({ hostPath }) => hostPath));
    const nodes = await Promise.all(paths.map(async (path) => [path, await deviceAt(path)] as const));
    return { edits, nodes: Object.fromEntries(nodes) };
  }

  async #registry(): Promise<CdiRegistry> {
    const texts = await this.#files.read();
    if (this.#read?.texts === texts) return this.#read.registry;
    const registry = new CdiRegistry(await Promise.all(texts.map(readFile)));
    this.#read = { texts, registry };
    return registry;
  }
}

/** One broken file must not take the devices of all others away. */
async function readFile({ path, priority, text }: CdiText): Promise<CdiFile> {
  try {
    const value: unknown = path.endsWith('.json') ? JSON.parse(text) : await parseYaml(text);
    return { path, priority, content: readDocument(value) };
  } catch (error) {
    return { path, priority, content: { problem: messageOf(error) } };
  }
}

/** Most nodes have no such file, so the parser is loaded for the first one. */
async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  return parse(text);
}

import { listDir, readText } from '../files.ts';
import type { NetworkConfig } from './config.ts';
import { isJsonObject } from './json-object.ts';

/** An address that the plugin host-local has given away and not got back. */
export interface Allocation {
  readonly address: string;
  /** Of the sandbox. */
  readonly id: string;
  readonly file: string;
}

/** Where host-local keeps its files unless it is told otherwise. */
const DATA_DIR = '/var/lib/cni/networks';

/** The allocations of a network, where its addresses are host-local's; none where they are another plugin's. */
export async function hostLocalAllocations({ name, plugins }: NetworkConfig): Promise<Allocation[]> {
  const found: Allocation[] = [];
  for (const { raw } of plugins) {
    const { ipam } = raw;
    if (!isJsonObject(ipam) || ipam.type !== 'host-local') continue;
    const dir = `${typeof ipam.dataDir === 'string' ? ipam.dataDir : DATA_DIR}/${name}`;
    for (const file of await listDir(dir)) {
      // Beside the addresses lie a lock and what was given last.
      if (!/^[\d.]+$|:/.test(file)) continue;
      const [id = ''] = ((await readText(`${dir}/${file}`)) ?? '').split(/\r?\n/);
      if (id !== '') found.push({ address: file, id: id.trim(), file: `${dir}/${file}` });
    }
  }
  return found;
}

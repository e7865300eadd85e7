import { Fault } from '../lib/fault.ts';
import type { Descriptor } from './descriptor.ts';
import type { Index, IndexEntry, Manifest } from './manifest.ts';
import { isImageConfigType, parseManifest } from './manifest.ts';
import type { Platform } from './platform.ts';
import { formatPlatform, selectEntry } from './platform.ts';

/** The image for one platform, found below a name's target. */
export interface FoundImage {
  /** From the target down: no index, one, or an index in an index. */
  indexes: { descriptor: Descriptor; data: Buffer; entries: IndexEntry[]; selected: IndexEntry }[];
  manifest: Manifest;
  descriptor: Descriptor;
  data: Buffer;
}

/** Nobody nests deeper, and a loop must end. */
const MAX_INDEXES = 3;

/**
 * Follows indexes to the manifest for `host`. `read` brings the bytes of one manifest or index.
 * Throws `failed_precondition` where there is none for that platform, or it is no image.
 */
export async function findImage(
  target: Descriptor,
  host: Platform,
  read: (descriptor: Descriptor) => Promise<Buffer>,
): Promise<FoundImage> {
  const indexes: FoundImage['indexes'] = [];
  let descriptor = target;
  for (;;) {
    const data = await read(descriptor);
    const parsed = parseManifest(data, descriptor.mediaType);
    if (parsed.kind === 'manifest') {
      if (!isImageConfigType(parsed.config.mediaType)) {
        const type = JSON.stringify(parsed.config.mediaType);
        throw new Fault('failed_precondition', `not a container image: its config has the type ${type}`);
      }
      return { indexes, manifest: parsed, descriptor, data };
    }
    if (indexes.length === MAX_INDEXES) throw new Fault('failed_precondition', 'indexes nested too deeply');
    const selected = select(parsed, host);
    indexes.push({ descriptor, data, entries: parsed.entries, selected });
    const { mediaType, digest, size, annotations } = selected;
    descriptor = { mediaType, digest, size, annotations };
  }
}

function select(index: Index, host: Platform): IndexEntry {
  const selected = selectEntry(index.entries, host);
  if (selected !== null) return selected;
  const others = index.entries.map(({ platform }) =>
    platform === null ? 'unknown' : formatPlatform(platform),
  );
  const offered = others.length === 0 ? 'nothing' : [...new Set(others)].join(', ');
  throw new Fault('failed_precondition', `no image for ${formatPlatform(host)}: it offers ${offered}`);
}

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Header } from 'tar-stream';
import { isDigest } from '../image/descriptor.ts';
import { MAX_MANIFEST_BYTES } from '../image/manifest.ts';
import { during, Fault } from '../lib/fault.ts';
import { newId } from '../lib/id.ts';
import type { Store } from './store-blob.ts';
import { adoptBlob, commitIngest, openIngest } from './store-blob.ts';

/** What an archive brought: its blobs are in the content store, held by the lease. */
export interface Archive {
  /** The small files that say what the blobs are, by path. */
  indexes: Map<string, Buffer>;
  /** Every other file, by its path in the archive. Links stand for what they point at. */
  files: Map<string, StoredFile>;
}

export interface StoredFile {
  digest: string;
  size: number;
  compression: 'gzip' | 'zstd' | 'none';
}

type Stream = AsyncIterable<Uint8Array>;

const INDEXES = new Set(['index.json', 'manifest.json']);
const IGNORED = /(^|\/)(oci-layout|repositories|VERSION|json)$/;

/** Where tar-stream is at: a file's bytes come by iterating. */
type Entry = Stream & Pick<Readable, 'resume'> & { header: Header };

/** Reads a tar, gzipped or with zstd or plain, into the content store without ever holding it in memory. */
export async function readArchive(store: Store, source: Stream): Promise<Archive> {
  const archive: Archive = { indexes: new Map(), files: new Map() };
  const links = new Map<string, string>();
  const { extract } = await import('tar-stream');
  const { compression, stream } = await sniff(source);
  const entries = extract();
  const unpacked = decompressor(compression);
  const input = Readable.from(stream, { objectMode: false });
  const reading = unpacked === null ? pipeline(input, entries) : pipeline(input, unpacked, entries);
  // Its error also ends the entries, where it is met.
  reading.catch(() => {});

  try {
    for await (const entry of entries as AsyncIterable<Entry>) {
      const { name, type, linkname } = entry.header;
      const path = name.replace(/^\.\//, '');
      if (type === 'symlink' || type === 'link') links.set(path, linkTarget(path, type, linkname ?? ''));
      else if (INDEXES.has(path)) archive.indexes.set(path, await readSmall(entry, path));
      else if (type === 'file' && !IGNORED.test(path)) {
        archive.files.set(path, await storeFile(store, { path, size: entry.header.size ?? 0, data: entry }));
      }
      entry.resume();
    }
    await reading;
  } catch (error) {
    store.signal.throwIfAborted();
    throw error instanceof Fault ? error : during('read archive', error, 'invalid_argument');
  }

  for (const [path, target] of links) {
    const file = archive.files.get(target);
    if (file !== undefined) archive.files.set(path, file);
  }
  return archive;
}

interface Incoming {
  path: string;
  size: number;
  data: Stream;
}

async function storeFile(store: Store, incoming: Incoming): Promise<StoredFile> {
  const { compression, stream } = await sniff(incoming.data);
  const data = { ...incoming, data: stream };
  const [, algorithm, hex] = /^blobs\/([^/]+)\/([^/]+)$/.exec(incoming.path) ?? [];
  const named = `${algorithm ?? ''}:${hex ?? ''}`;
  const digest = isDigest(named) ? await storeNamed(store, data, named) : await storeUnnamed(store, data);
  return { digest, size: incoming.size, compression };
}

/** A blob of an OCI layout says in its path which bytes it must have. */
async function storeNamed(store: Store, { size, data }: Incoming, digest: string): Promise<string> {
  const writer = (await adoptBlob(store, digest, {})) ? null : await openIngest(store, { digest, size });
  if (writer === null) {
    await adoptBlob(store, digest, {});
    return digest;
  }
  await using open = writer;
  let skip = open.offset;
  for await (const chunk of data) {
    const fresh = chunk.subarray(skip);
    skip -= chunk.length - fresh.length;
    if (fresh.length > 0) await open.write(fresh);
  }
  await commitIngest(store, open, { descriptor: { digest }, labels: {} });
  return digest;
}

/** A file of a Docker archive tells its digest only when it has been read. */
async function storeUnnamed(store: Store, { size, data, path }: Incoming): Promise<string> {
  const { containerd, lease, signal } = store;
  const ref = `cristal-import-${newId()}`;
  const hash = createHash('sha256');
  await using writer = await containerd.content.writer({ ref, total: size, expected: '', lease }, { signal });
  for await (const chunk of data) {
    hash.update(chunk);
    await writer.write(chunk);
  }
  await writer.commit({});
  const digest = `sha256:${hash.digest('hex')}`;
  if (!(await adoptBlob(store, digest, {}))) throw new Fault('internal', `${path} was stored and is gone`);
  return digest;
}

async function readSmall(data: Stream, path: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of data) {
    size += chunk.length;
    if (size > MAX_MANIFEST_BYTES) throw new Fault('invalid_argument', `${path} of the archive is too large`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Tells the compression by the first bytes, and gives the whole stream back. */
async function sniff(source: Stream): Promise<{ compression: StoredFile['compression']; stream: Stream }> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await iterator.next();
  const start = first.done === true ? '' : Buffer.from(first.value.subarray(0, 4)).toString('hex');
  const compression = start.startsWith('1f8b') ? 'gzip' : start === '28b52ffd' ? 'zstd' : 'none';
  const stream = async function* () {
    if (first.done === true) return;
    try {
      yield first.value;
      yield* { [Symbol.asyncIterator]: () => iterator };
    } finally {
      await iterator.return?.();
    }
  };
  return { compression, stream: stream() };
}

function decompressor(compression: StoredFile['compression']) {
  if (compression === 'gzip') return createGunzip();
  return compression === 'zstd' ? createZstdDecompress() : null;
}

/** Where a link leads inside the archive. Old versions of Docker save a repeated layer as a symlink. */
function linkTarget(path: string, type: string, target: string): string {
  if (type === 'link') return target.replace(/^\.\//, '');
  return new URL(target, `file:///${path}`).pathname.slice(1);
}

import type { Logger } from 'pino';
import type { Writer } from '../containerd/content-writer.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { Fault } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { networkReason } from './http.ts';
import type { Repository } from './repository.ts';
import { startStallTimer } from './stall-timer.ts';
import type { Store } from './store-blob.ts';
import { adoptBlob, commitIngest, openIngest } from './store-blob.ts';

interface Needs {
  repository: Repository;
  store: Store;
  /** Shared by all pulls: keys are digests in the making. */
  locks: KeyedLock;
  stallTimeoutMs: number;
  log: Logger;
}

/** How often in a row a connection may break without having brought a byte. */
const MAX_BREAKS = 3;

/** One message to containerd carries about this many bytes: small ones cost a round trip each. */
const PIECE_BYTES = 1024 * 1024;

/** Brings one blob into containerd, unless it is there. A broken connection is resumed where it broke. */
export async function fetchBlob(
  needs: Needs,
  descriptor: Descriptor,
  labels: Record<string, string>,
): Promise<void> {
  const { store, locks } = needs;
  // Another pull may be fetching it: afterwards it is there, or it is our turn to try.
  using _held = await locks.take(`blob/${descriptor.digest}`, store.signal);
  if (await adoptBlob(store, descriptor.digest, labels)) return;

  const writer = await openIngest(store, descriptor);
  if (writer === null) {
    await adoptBlob(store, descriptor.digest, labels);
    return;
  }
  await using open = writer;
  await fill(needs, open, descriptor);
  await commitIngest(store, open, { descriptor, labels });
}

async function fill(needs: Needs, writer: Writer, descriptor: Descriptor): Promise<void> {
  let breaks = 0;
  while (writer.offset < descriptor.size) {
    const before = writer.offset;
    try {
      await transfer(needs, writer, descriptor);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      breaks = writer.offset > before ? 1 : breaks + 1;
      if (breaks >= MAX_BREAKS) throw new Fault('unavailable', error.message, { cause: error });
      const { offset } = writer;
      needs.log.warn({ err: error, digest: descriptor.digest, offset }, 'download broke; resume it');
    }
  }
}

/** The connection ended before the blob did. */
class Broken extends Error {}

/** Copies from one response into the ingest, as far as it goes. */
async function transfer(needs: Needs, writer: Writer, { digest, size }: Descriptor): Promise<void> {
  const { repository, store, stallTimeoutMs } = needs;
  using stall = startStallTimer(`blob ${digest}`, stallTimeoutMs, store.signal);
  const { host, start, body } = await repository.blob(digest, writer.offset, stall.signal);
  let skip = writer.offset - start;
  const abort = () => body.destroy();
  stall.signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const piece of pieces(body, `blob ${digest}: ${host}`)) {
      stall.progress();
      const fresh = piece.subarray(skip);
      skip -= piece.length - fresh.length;
      if (writer.offset + fresh.length > size) {
        throw new Fault('data_loss', `blob ${digest}: ${host} sent more than its ${size} bytes`);
      }
      if (fresh.length > 0) await writer.write(fresh);
      stall.progress();
    }
    if (writer.offset < size)
      throw new Broken(`RegistryUnavailable: blob ${digest}: ${host}: ended too early`);
  } catch (error) {
    if (stall.signal.aborted) throw stall.signal.reason;
    throw error;
  } finally {
    stall.signal.removeEventListener('abort', abort);
    body.destroy();
  }
}

/** Gathers what comes in network-sized bits. Reading goes on only while the taker takes. */
async function* pieces(body: AsyncIterable<Buffer>, what: string): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      gathered.push(chunk);
      size += chunk.length;
      if (size < PIECE_BYTES) continue;
      yield Buffer.concat(gathered);
      gathered = [];
      size = 0;
    }
  } catch (error) {
    if (size > 0) yield Buffer.concat(gathered);
    throw new Broken(`RegistryUnavailable: ${what}: ${networkReason(error)}`, { cause: error });
  }
  if (size > 0) yield Buffer.concat(gathered);
}

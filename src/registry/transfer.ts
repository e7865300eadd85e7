import type { Logger } from 'pino';
import type { Writer } from '../containerd/content-writer.ts';
import { Fault } from '../lib/fault.ts';
import { freeBuffer } from '../lib/free-buffer.ts';
import { drain, StreamBroken } from './drain.ts';
import { networkReason } from './http.ts';
import { pause } from './pause.ts';
import type { PullObserver } from './progress.ts';
import type { Repository } from './repository.ts';
import type { StallGuard } from './stall-guard.ts';
import type { Store } from './store-blob.ts';

export interface TransferNeeds {
  repository: Repository;
  store: Store;
  guard: StallGuard;
  progress: Pick<PullObserver, 'layer'>;
  log: Logger;
}

/** Takes what is downloaded, as a `Writer` does. */
export type Sink = Pick<Writer, 'offset' | 'write'>;

/** What to download, and from where. */
export interface Download {
  digest: string;
  size: number;
  urls: readonly string[];
  /** Hosts that are not asked, and why. Those that break for good are added. */
  avoid: Map<string, string>;
  /** Every host that has sent some of it is added. */
  served: Set<string>;
}

/** How often in a row a host's connections may break without having brought a byte. */
const MAX_BREAKS = 3;

/** How often they may break in all: some break after a byte each time. */
const MAX_ALL_BREAKS = 50;

/** Before a host that brought nothing is asked again, in milliseconds. */
const BREAK_PAUSE_MS = 200;

/** Downloads what the ingest lacks. A host that breaks for good is left for the next one. */
export async function fill(needs: TransferNeeds, writer: Sink, download: Download): Promise<void> {
  const { store, log } = needs;
  const { digest, size, avoid } = download;
  const breaks = new Map<string, { inRow: number; all: number }>();
  while (writer.offset < size) {
    const before = writer.offset;
    try {
      await needs.guard.watch(() => transfer(needs, writer, download));
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      const { host } = error;
      const { inRow, all } = breaks.get(host) ?? { inRow: 0, all: 0 };
      const now = { inRow: writer.offset > before ? 0 : inRow + 1, all: all + 1 };
      breaks.set(host, now);
      if (now.inRow >= MAX_BREAKS || now.all >= MAX_ALL_BREAKS) avoid.set(host, error.message);
      log.warn({ err: error, digest, offset: writer.offset }, 'download broke; resume it');
      await pause(BREAK_PAUSE_MS * now.inRow, store.signal);
    }
  }
}

/** The connection ended before the blob did. */
class Broken extends Error {
  readonly host: string;

  constructor(host: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Broken';
    this.host = host;
  }
}

/** Copies from one response into the ingest, as far as it goes. */
async function transfer(needs: TransferNeeds, writer: Sink, download: Download): Promise<void> {
  const { repository, guard, progress } = needs;
  const { digest, size, urls, avoid, served } = download;
  const { signal } = needs.store;
  const { host, start, body } = await repository.blob({ digest, offset: writer.offset, urls, avoid }, signal);
  served.add(host);
  let skip = writer.offset - start;
  const abort = () => body.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await drain(body, async (chunk) => {
      guard.progress(chunk.length);
      const fresh = chunk.subarray(skip);
      skip -= chunk.length - fresh.length;
      if (writer.offset + fresh.length > size) {
        throw new Fault('data_loss', `blob ${digest}: ${host} sent more than its ${size} bytes`);
      }
      await writer.write(fresh);
      release(chunk);
      progress.layer(digest, { offset: writer.offset, total: size });
    });
    if (writer.offset < size) throw new Broken(host, 'ended too early');
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof StreamBroken)) throw error;
    throw new Broken(host, networkReason(error.cause ?? error), { cause: error });
  } finally {
    signal.removeEventListener('abort', abort);
    body.destroy();
  }
}

/**
 * Gives back the memory of a chunk that has been copied, up to 64 KiB: left to the collector, they cost more
 * than all else in a download. A chunk that does not reach to the end of its memory shares it with others,
 * which come after it.
 */
function release(chunk: Buffer): void {
  if (chunk.byteOffset + chunk.length === chunk.buffer.byteLength) freeBuffer(chunk);
}

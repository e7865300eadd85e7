import type { Descriptor } from '../image/descriptor.ts';
import { isCode, messageOf } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { span } from '../lib/trace.ts';
import { digestOf } from './manifest-reply.ts';
import type { Slots } from './slots.ts';
import {
  adoptBlob,
  commitIngest,
  ingestRef,
  MAX_SMALL_BYTES,
  notItsBytes,
  openIngest,
  storeNewBytes,
} from './store-blob.ts';
import type { Sink, TransferNeeds } from './transfer.ts';
import { fill } from './transfer.ts';

interface Needs extends TransferNeeds {
  /** Shared by all pulls: keys are digests in the making. */
  locks: KeyedLock;
  /** Of all pulls together. */
  slots: Slots;
}

/** What to fetch, and the labels that it gets. */
export interface WantedBlob {
  blob: Descriptor & { urls?: readonly string[] };
  labels: Record<string, string>;
  /** A small one that is hardly there is fetched without a look. */
  isLikelyNew?: boolean;
  /** More labels, by what a small blob holds. One that is there does not get them. */
  labelsFrom?: (data: Buffer) => Record<string, string>;
}

/** Hosts that served this blob, hosts that are not asked for it any more, and whether it was begun before. */
interface Tries {
  avoid: Map<string, string>;
  served: Set<string>;
  resumed: boolean;
}

/**
 * Brings one blob into containerd, unless it is there. A broken connection is resumed where it broke; if
 * the bytes are wrong, all of them are fetched again from hosts that had no part in it. Returns the bytes of
 * a small blob that was not there.
 */
export async function fetchBlob(needs: Needs, wanted: WantedBlob): Promise<Buffer | null> {
  const { store, locks, repository, log } = needs;
  const { digest, urls = [] } = wanted.blob;
  const avoid = new Map<string, string>();
  // Another pull may be fetching it: afterwards it is there, or it is our turn to try.
  using _held = await locks.take(`blob/${digest}`, store.signal);
  for (;;) {
    const tried: Tries = { avoid, served: new Set(), resumed: false };
    try {
      return await fetchOnce(needs, wanted, tried);
    } catch (error) {
      if (!isCode(error, 'data_loss')) throw error;
      await store.containerd.content.abort(ingestRef(digest), { signal: store.signal });
      // Nobody has sent a byte of it, as of one that is said to have none: asking again gives the same.
      if (!tried.resumed && tried.served.size === 0) throw error;
      // What an earlier pull left may be what is wrong, and then nobody of now is to blame.
      if (!tried.resumed) for (const host of tried.served) avoid.set(host, messageOf(error));
      const hosts = [
        ...repository.hosts,
        ...urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).host),
      ];
      if (hosts.every((host) => avoid.has(host))) throw error;
      log.warn({ err: error, digest, avoid: [...avoid.keys()] }, 'wrong bytes; fetch the blob again');
    }
  }
}

async function fetchOnce(needs: Needs, wanted: WantedBlob, tried: Tries): Promise<Buffer | null> {
  const { store, progress } = needs;
  const { blob, labels, labelsFrom, isLikelyNew = false } = wanted;
  const { digest, size: total } = blob;
  const isSmall = total <= MAX_SMALL_BYTES;
  if (!(isSmall && isLikelyNew) && (await adoptBlob(store, digest, labels))) {
    progress.layer(digest, { offset: total, total });
    return null;
  }
  if (!isSmall) {
    await fetchLarge(needs, wanted, tried);
    return null;
  }
  const data = Buffer.alloc(total);
  await download(needs, inMemory(data), { wanted, tried });
  if (digestOf(data, digest) !== digest) throw notItsBytes(digest);
  await storeNewBytes(store, { descriptor: blob, data, labels: { ...labels, ...labelsFrom?.(data) } });
  return data;
}

async function fetchLarge(needs: Needs, wanted: WantedBlob, tried: Tries): Promise<void> {
  const { store, progress } = needs;
  const { blob, labels } = wanted;
  const { digest, size: total } = blob;
  const writer = await openIngest(store, blob);
  if (writer === null) {
    await adoptBlob(store, digest, labels);
    return progress.layer(digest, { offset: total, total });
  }
  await using open = writer;
  tried.resumed = open.offset > 0;
  await download(needs, open, { wanted, tried });
  await commitIngest(store, open, { descriptor: blob, labels });
}

/** Fills the sink when it is our turn. */
async function download(
  needs: Needs,
  sink: Sink,
  { wanted, tried }: { wanted: WantedBlob; tried: Tries },
): Promise<void> {
  const { digest, size: total, urls = [] } = wanted.blob;
  const start = sink.offset;
  needs.progress.layer(digest, { offset: start, total });
  const from = { digest, size: total, urls, ...tried };
  const work = () =>
    span('layer', 'fetch', async (own) => {
      own?.set('digest', digest);
      try {
        await fill(needs, sink, from);
      } finally {
        own?.set('bytes', sink.offset - start);
      }
    });
  await needs.slots(work, needs.store.signal);
}

function inMemory(data: Buffer): Sink {
  let offset = 0;
  return {
    get offset() {
      return offset;
    },
    write(chunk) {
      data.set(chunk, offset);
      offset += chunk.length;
      return Promise.resolve();
    },
  };
}

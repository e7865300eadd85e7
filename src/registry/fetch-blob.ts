import type { Descriptor } from '../image/descriptor.ts';
import { isCode, messageOf } from '../lib/fault.ts';
import type { KeyedLock } from '../lib/keyed-lock.ts';
import { span } from '../lib/trace.ts';
import type { Slots } from './slots.ts';
import { adoptBlob, commitIngest, ingestRef, openIngest } from './store-blob.ts';
import type { TransferNeeds } from './transfer.ts';
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
}

/** Hosts that served this blob, hosts that are not asked for it any more, and whether it was begun before. */
interface Tries {
  avoid: Map<string, string>;
  served: Set<string>;
  resumed: boolean;
}

/**
 * Brings one blob into containerd, unless it is there. A broken connection is resumed where it broke; if
 * the bytes are wrong, all of them are fetched again from hosts that had no part in it.
 */
export async function fetchBlob(needs: Needs, wanted: WantedBlob): Promise<void> {
  const { store, locks, repository, log } = needs;
  const { digest, urls = [] } = wanted.blob;
  const avoid = new Map<string, string>();
  // Another pull may be fetching it: afterwards it is there, or it is our turn to try.
  using _held = await locks.take(`blob/${digest}`, store.signal);
  for (;;) {
    const tried: Tries = { avoid, served: new Set(), resumed: false };
    try {
      await fetchOnce(needs, wanted, tried);
      return;
    } catch (error) {
      if (!isCode(error, 'data_loss')) throw error;
      await store.containerd.content.abort(ingestRef(digest), { signal: store.signal });
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

async function fetchOnce(needs: Needs, { blob, labels }: WantedBlob, tried: Tries): Promise<void> {
  const { store, slots, progress } = needs;
  const { digest, size: total, urls = [] } = blob;
  const there = () => progress.layer(digest, { offset: total, total });
  if (await adoptBlob(store, digest, labels)) return there();

  const writer = await openIngest(store, blob);
  if (writer === null) {
    await adoptBlob(store, digest, labels);
    return there();
  }
  await using open = writer;
  const start = open.offset;
  tried.resumed = start > 0;
  progress.layer(digest, { offset: start, total });
  const from = { digest, size: total, urls, ...tried };
  const download = () =>
    span('layer', 'fetch', async (own) => {
      own?.set('digest', digest);
      try {
        await fill(needs, open, from);
      } finally {
        own?.set('bytes', open.offset - start);
      }
    });
  await slots(download, store.signal);
  await commitIngest(store, open, { descriptor: blob, labels });
}

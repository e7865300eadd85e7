import type { Logger } from 'pino';
import type { Containerd } from '../containerd/client.ts';
import type { ImageRecord } from '../containerd/images.ts';
import { MAX_CONFIG_BYTES, parseImageFile } from '../image/config.ts';
import { isDigest } from '../image/descriptor.ts';
import { findImage } from '../image/find-image.ts';
import type { Image, ImageFacts, ImageStore, NewNames } from '../image/image.ts';
import { factsOf, MANAGED_LABEL, PINNED_LABEL } from '../image/image.ts';
import { MAX_MANIFEST_BYTES } from '../image/manifest.ts';
import { pinnedBy } from '../image/pinned.ts';
import { hostPlatform } from '../image/platform.ts';
import { formatReference, parseReference } from '../image/reference.ts';
import { allSettled } from '../lib/all-settled.ts';
import { isCode } from '../lib/fault.ts';
import { OwnWrites } from './own-writes.ts';

interface Entry {
  record: ImageRecord;
  facts: ImageFacts;
}

/** Tells the pins that follow our settings from those of others. */
const PINNED_BY = 'cristal.pinned-by';

/** Images whose content is read at once while loading. */
const READERS = 8;

/**
 * Images with a name that one of the `pinned` patterns selects get containerd's label of pinned images; those
 * that a pattern selected before lose it. Null leaves all labels alone.
 */
export function createImageStore(
  containerd: Pick<Containerd, 'images' | 'content'>,
  log: Logger,
  pinned: readonly string[] | null = null,
): ImageStore {
  const isPinned = pinned === null ? null : pinnedBy(pinned);
  let entries = new Map<string, Entry>();
  let images: Map<string, Image> | null = null;
  // Two looks at one name may overtake each other, and the older one must not win.
  let last: Promise<unknown> = Promise.resolve();
  const writes = new OwnWrites();

  const put = async (record: ImageRecord, into: Map<string, Entry>): Promise<void> => {
    try {
      const known = [...into.values(), ...entries.values()].find(
        (entry) => entry.record.target.digest === record.target.digest,
      );
      const facts = known?.facts ?? (await readFacts(containerd, record));
      into.set(record.name, { record, facts });
    } catch (err) {
      if (isCode(err, 'unavailable') || isCode(err, 'cancelled')) throw err;
      into.delete(record.name);
      log.warn({ err, image: record.name }, 'image left out: it cannot be read');
    }
    images = null;
  };
  // One name that is pinned pins the image, and so all of its names, as containerd's own CRI does it.
  const pin = async (members: Entry[]): Promise<void> => {
    if (isPinned === null) return;
    const wanted = members.some(({ record }) => isPinned(record.name));
    for (const entry of members) {
      const labels = pinLabels(entry.record.labels, wanted);
      if (labels === null) continue;
      const { name, target } = entry.record;
      entry.record = { ...entry.record, labels: { ...entry.record.labels, ...labels } };
      try {
        const paths = Object.keys(labels).map((label) => `labels.${label}`);
        await containerd.images.update({ name, labels, target }, paths);
      } catch (err) {
        // One that was removed meanwhile needs none.
        if (!isCode(err, 'not_found'))
          log.warn({ err, image: name }, 'image could not be labelled as pinned');
      }
    }
  };
  const inOrder = (work: () => Promise<void>): Promise<void> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };
  const index = (): Map<string, Image> => {
    images ??= group([...entries.values()]);
    return images;
  };
  const pinImage = (id: string | undefined): Promise<void> =>
    pin([...entries.values()].filter(({ facts }) => facts.id === id));
  const look = async (name: string): Promise<void> => {
    const record = await containerd.images.get(name);
    if (record === null) entries.delete(name);
    else {
      await put(record, entries);
      await pinImage(entries.get(name)?.facts.id);
    }
    images = null;
  };
  const refresh = (name: string) => inOrder(() => look(name));
  const write = async (name: string, { target, facts }: NewNames, signal: AbortSignal): Promise<void> => {
    const own = writes.begin(name);
    let record: ImageRecord;
    try {
      const order = entries.has(name) ? (['update', 'create'] as const) : (['create', 'update'] as const);
      record = await recordName(containerd, { name, target, order }, signal);
    } catch (error) {
      // If that fails too, so has the stream of events, and all is read anew when it is back.
      if (writes.failed(own)) await refresh(name).catch(() => {});
      throw error;
    }
    await inOrder(async () => {
      writes.succeeded(own);
      if (own.overtaken) return await look(name);
      // Of two that write one name, the one that is answered last need not be the one that wrote last.
      if ((entries.get(name)?.record.updatedAt ?? 0n) > record.updatedAt) return;
      entries.set(name, { record, facts });
      images = null;
    });
  };

  return {
    list: () => [...index().values()],
    find: (ref) => findIn(index(), ref, entries),
    async record(image, signal) {
      const [first, ...others] = image.names;
      if (first !== undefined) await write(first, image, signal);
      await allSettled(others.map((name) => write(name, image, signal)));
      await inOrder(() => pinImage(image.facts.id));
    },
    refresh,
    async changed(name) {
      if (!writes.takes(name)) await refresh(name);
    },
    load: () =>
      inOrder(async () => {
        writes.reset();
        const records = await containerd.images.list();
        // Beside the old ones, so that nobody meets half of them.
        const loaded = new Map<string, Entry>();
        const reader = async () => {
          for (let record = records.pop(); record !== undefined; record = records.pop()) {
            await put(record, loaded);
          }
        };
        await Promise.all(Array.from({ length: READERS }, reader));
        entries = loaded;
        for (const members of Map.groupBy(entries.values(), ({ facts }) => facts.id).values()) {
          await pin(members);
        }
        images = null;
      }),
  };
}

/** Creates the record, or moves it, by what is tried first. The answer has all of its labels. */
async function recordName(
  { images }: Pick<Containerd, 'images'>,
  { name, target, order }: Pick<ImageRecord, 'name' | 'target'> & { order: readonly Way[] },
  signal: AbortSignal,
): Promise<ImageRecord> {
  const image = { name, labels: { [MANAGED_LABEL]: 'managed' }, target };
  const ways = {
    create: () => images.create(image, { signal }),
    update: () => images.update(image, ['target', `labels.${MANAGED_LABEL}`], { signal }),
  };
  const [first = 'create', second = 'update'] = order;
  try {
    return await ways[first]();
  } catch (error) {
    if (!isCode(error, first === 'create' ? 'already_exists' : 'not_found')) throw error;
    return await ways[second]();
  }
}

type Way = 'create' | 'update';

async function readFacts({ content }: Pick<Containerd, 'content'>, record: ImageRecord): Promise<ImageFacts> {
  const found = await findImage(record.target, hostPlatform(process.arch), ({ digest }) =>
    content.readAll(digest, MAX_MANIFEST_BYTES),
  );
  const { digest } = found.manifest.config;
  return factsOf(found, parseImageFile(await content.readAll(digest, MAX_CONFIG_BYTES)));
}

/** What to write so that a record is pinned, or not any more; null for nothing. An empty label is taken away. */
function pinLabels(labels: Record<string, string>, wanted: boolean): Record<string, string> | null {
  if (wanted)
    return labels[PINNED_LABEL] === 'pinned' ? null : { [PINNED_LABEL]: 'pinned', [PINNED_BY]: 'config' };
  // What others pinned stays pinned.
  return labels[PINNED_BY] === 'config' ? { [PINNED_LABEL]: '', [PINNED_BY]: '' } : null;
}

/** One image for each config. Its names are sorted, so that equal states give equal answers. */
function group(entries: Entry[]): Map<string, Image> {
  const byId = Map.groupBy(
    entries.toSorted((a, b) => (a.record.name < b.record.name ? -1 : 1)),
    ({ facts }) => facts.id,
  );
  return new Map([...byId].map(([id, members]) => [id, imageFrom(members)]));
}

function imageFrom(members: Entry[]): Image {
  const [first] = members as [Entry];
  const names = members.map(({ record }) => record.name);
  return {
    ...first.facts,
    names,
    repoTags: names.filter((name) => !isDigest(name) && !name.includes('@')),
    repoDigests: names.filter((name) => name.includes('@')),
    pinned: members.some(({ record }) => record.labels[PINNED_LABEL] === 'pinned'),
    target: first.record.target,
  };
}

/** A name wins over a prefix of an id that happens to look like one. */
function findIn(
  images: ReadonlyMap<string, Image>,
  ref: string,
  entries: ReadonlyMap<string, Entry>,
): Image | null {
  const named = (name: string) => images.get(entries.get(name)?.facts.id ?? '');
  const exact = images.get(ref) ?? named(ref) ?? images.get(`sha256:${ref}`);
  if (exact !== undefined) return exact;
  if (isDigest(ref)) {
    const entry = [...entries.values()].find(({ record }) => record.target.digest === ref);
    return images.get(entry?.facts.id ?? '') ?? null;
  }

  const byFullName = named(fullName(ref));
  if (byFullName !== undefined) return byFullName;
  if (!/^(?:sha256:)?[0-9a-f]+$/.test(ref)) return null;
  const prefix = ref.startsWith('sha256:') ? ref : `sha256:${ref}`;
  const matches = [...images.values()].filter(({ id }) => id.startsWith(prefix));
  return matches.length === 1 ? (matches[0] ?? null) : null;
}

/** The name under which a reference is recorded; empty for what is no reference. */
function fullName(ref: string): string {
  try {
    const reference = parseReference(ref);
    return formatReference(reference.digest === null ? reference : { ...reference, tag: null });
  } catch {
    return ''; // then it is an id, or nothing that we have
  }
}

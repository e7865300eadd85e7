import type { Logger } from 'pino';
import type { ImagesConfig } from '../config/schema.ts';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.ts';
import { fingerprint } from '../image/credentials.ts';
import type { Image, ImageStore } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import { formatReference, parseReference } from '../image/reference.ts';
import { Fault } from '../lib/fault.ts';
import { KeyedLock } from '../lib/keyed-lock.ts';
import { annotate, enterPhase } from '../lib/trace.ts';
import { ensureUnpacked } from './ensure-unpacked.ts';
import { archiveNames, exportArchive } from './export.ts';
import { createHttpClient } from './http.ts';
import { importArchive } from './import.ts';
import { Joins } from './joins.ts';
import { dropStaleLeases } from './lease.ts';
import type { PullState } from './progress.ts';
import type { ImageContainerd, PullPlan } from './pull.ts';
import { pullImage } from './pull.ts';
import { createIsRemote } from './remote-snapshotter.ts';
import { createSlots } from './slots.ts';
import { TokenCache } from './token-cache.ts';
import { createWatch } from './watch-pulls.ts';

/** One wish for an image. */
export interface PullRequest {
  /** In any form that users write. */
  reference: string;
  auth: AuthConfig__Output | null;
  snapshotter: string;
  /** Another one than this machine's. The names then stand for its image, not for the index above it. */
  platform?: Platform | null;
}

/** Everything that is done with images. Dispose it to end the pulls that still run. */
export interface ImageService extends AsyncDisposable {
  readonly store: ImageStore;
  /** Pulls, or joins the same pull if it runs. It goes on when the caller leaves by `signal`. */
  pull(request: PullRequest, signal: AbortSignal): Promise<Image>;
  /** The pulls that run, oldest first. */
  running(): PullState[];
  /** Makes sure that containers can stand on the image in this snapshotter. */
  ensureUnpacked(image: Image, snapshotter: string, signal: AbortSignal): Promise<void>;
  /** Brings in all images of an OCI or Docker archive, compressed or not. */
  importArchive(archive: AsyncIterable<Uint8Array>): Promise<Image[]>;
  /**
   * An archive of images, by reference or id, for `importArchive` and other tools. Throws `not_found` for an
   * image that is not there.
   */
  exportArchive(refs: readonly string[]): AsyncIterable<Uint8Array>;
  /** Deletes every name of the image; what nothing else uses is collected before this resolves. */
  remove(image: Image): Promise<void>;
  /** Frees what pulls of an earlier cristal held. Only before the first pull. */
  dropStaleLeases(): Promise<void>;
}

export interface ImageServiceOptions {
  containerd: ImageContainerd;
  store: ImageStore;
  config: ImagesConfig;
  /** The snapshotter for imports. */
  snapshotter: string;
  log: Logger;
}

export function createImageService(options: ImageServiceOptions): ImageService {
  const { containerd, store, config, log } = options;
  const http = createHttpClient();
  const slots = createSlots(config.maxDownloads);
  const needs = {
    containerd,
    images: store,
    isRemote: createIsRemote(containerd),
    http,
    config,
    locks: new KeyedLock(),
    slots,
    tokens: new TokenCache(),
    log,
  };
  const pulls = new Joins<Image>('pull');
  const ended = new AbortController();
  const watch = createWatch(log);

  const recorded = (id: string): Image => {
    const image = store.find(id);
    if (image === null) throw new Fault('internal', `image ${id} went as soon as it came`);
    return image;
  };

  const pull = async (wish: Omit<PullPlan, 'known' | 'progress'>, name: string): Promise<Image> => {
    const start = performance.now();
    const ms = () => Math.round(performance.now() - start);
    log.info({ image: name, snapshotter: wish.snapshotter }, 'pull started');
    using progress = watch.start(name);
    annotate('image', name);
    enterPhase('resolve');
    try {
      const known = store.find(name) !== null;
      const id = await pullImage(needs, { ...wish, known, progress }, ended.signal);
      const image = recorded(id);
      log.info({ image: name, id, size: image.size, ms: ms() }, 'pull done');
      return image;
    } catch (err) {
      // Logged here too, because the caller may have left.
      log.warn({ err, image: name, ms: ms() }, 'pull failed');
      throw err;
    }
  };

  return {
    store,
    pull({ reference: text, auth, snapshotter, platform = null }, signal) {
      const reference = parseReference(text);
      const name = formatReference(reference);
      const key = JSON.stringify([name, snapshotter, platform, fingerprint(auth)]);
      return pulls.run(key, () => pull({ reference, auth, snapshotter, platform }, name), signal);
    },
    running: () => watch.running(),
    ensureUnpacked: (image, snapshotter, signal) => ensureUnpacked(needs, { image, snapshotter }, signal),
    async importArchive(archive) {
      const plan = { archive, snapshotter: options.snapshotter };
      return (await importArchive(needs, plan, ended.signal)).map(recorded);
    },
    exportArchive(refs) {
      const images = refs.map((ref) => {
        const image = store.find(ref);
        if (image === null) throw new Fault('not_found', `no image ${ref}`);
        return { image, names: archiveNames(ref, image) };
      });
      return exportArchive(containerd, images, ended.signal);
    },
    async remove({ names }) {
      for (const [place, name] of names.entries()) {
        await containerd.images.delete(name, { sync: place === names.length - 1 });
        await store.refresh(name);
      }
    },
    dropStaleLeases: () => dropStaleLeases(containerd, log),
    async [Symbol.asyncDispose]() {
      ended.abort(new Fault('cancelled', 'cristal is stopping'));
      await pulls.idle();
      await http[Symbol.asyncDispose]();
    },
  };
}

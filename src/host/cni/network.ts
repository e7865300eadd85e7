import { statfsSync } from 'node:fs';

import type { Logger } from 'pino';

import { allSettled } from '../../lib/all-settled.ts';
import { Fault, isCode } from '../../lib/fault.ts';
import type { Attachment, AttachRequest } from './attachment.ts';
import { PluginBinaries } from './binaries.ts';
import type { CacheEntry } from './cache.ts';
import { AttachmentCache } from './cache.ts';
import { capabilityArgs } from './capabilities.ts';
import { addChain, checkChain, delChain, gcChain, IF_NAME } from './chain.ts';
import type { NetworkConfig } from './config.ts';
import type { ConfigState } from './config-dir.ts';
import type { RunPlugin } from './plugin.ts';
import { createRunPlugin } from './plugin.ts';
import { podIps, readResult } from './result.ts';
import type { NetworkStatus } from './status.ts';
import { StatusProbe } from './status.ts';
import { isAtLeast } from './version.ts';
import { ConfigWatch } from './watch.ts';

export interface NetworkOptions {
  confDir: string;
  /** More of them, for pods that name one in their `attach`. */
  otherDirs?: readonly string[];
  binDirs: string[];
  /** For one call of one plugin. */
  timeoutMs: number;
  /** Where the records of attachments are. Must outlive a reboot, as the stores of address plugins do. */
  cacheDir: string;
  log: Logger;
}

/** The pod network, by CNI plugins. Calls for different sandboxes run side by side. */
export interface Network extends AsyncDisposable {
  /** From memory, except for STATUS of CNI 1.1.0, which is asked seldom and waited for briefly. */
  status(signal?: AbortSignal): Promise<NetworkStatus>;
  /** What the configuration directory gives at present. From memory. */
  config(): ConfigState;
  /**
   * Records its intent, then runs ADD. When it fails, `detach` is owed all the same. `pinned` resolves when the
   * network namespace is there: what needs none is done meanwhile. Its failure is passed on.
   */
  attach(request: AttachRequest, signal?: AbortSignal, pinned?: Promise<void>): Promise<Attachment>;
  /** Runs DEL as ADD was run and forgets the sandbox. Done at once for a sandbox it does not know. */
  detach(id: string, netns: string | null, signal?: AbortSignal): Promise<void>;
  /** The sandboxes to which a `detach` is owed. */
  attachments(): Promise<string[]>;
  /** Null when unknown, or when its ADD never finished. */
  attachment(id: string): Promise<Attachment | null>;
  /** Runs CHECK where the configuration has it. Rejects when the network is not as ADD left it. */
  check(id: string, netns: string): Promise<void>;
  /** Lets plugins free all that belongs neither to `keep` nor to a sandbox that is recorded here. */
  gc(keep: string[]): Promise<void>;
}

/** Starts watching the directories, which need not exist. */
export async function createNetwork(options: NetworkOptions): Promise<Network> {
  const { confDir, binDirs, timeoutMs, cacheDir, log } = options;
  const cache = await AttachmentCache.open(cacheDir);
  const binaries = new PluginBinaries(binDirs);
  const watches = new Map<string, ConfigWatch>();
  for (const dir of new Set([confDir, ...(options.otherDirs ?? [])])) {
    watches.set(dir, await ConfigWatch.start({ dir, log, onChange: () => binaries.forgetAll() }));
  }
  const run = createRunPlugin({ binaries, timeoutMs });
  const probe = new StatusProbe({ run, binaries });
  return new CniNetwork({ cache, confDir, watches, run, probe, log });
}

interface Parts {
  cache: AttachmentCache;
  confDir: string;
  /** By directory. */
  watches: ReadonlyMap<string, ConfigWatch>;
  run: RunPlugin;
  probe: StatusProbe;
  log: Logger;
}

class CniNetwork implements Network {
  readonly #parts: Parts;
  /** Sandboxes between the start of `attach` and its end. Their record may not be on disk yet. */
  readonly #attaching = new Set<string>();
  #collecting: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  status(): Promise<NetworkStatus> {
    return this.#parts.probe.status(this.#watch('').state);
  }

  config(): ConfigState {
    return this.#watch('').state;
  }

  async attach(
    request: AttachRequest,
    signal?: AbortSignal,
    pinned = Promise.resolve(),
  ): Promise<Attachment> {
    const { cache, run } = this.#parts;
    const { id, netns, pod } = request;
    pinned.catch(() => {}); // it may fail before we wait for it
    // A collection that was told what is in use must end first: it would free what this one takes.
    await this.#collecting;
    this.#attaching.add(id);
    try {
      const network = await this.#network(request.confDir);
      const args = capabilityArgs(request);
      const entry: CacheEntry = { version: 1, id, netns, pod, network, capabilityArgs: args, result: null };
      await allSettled<[void, void]>([cache.begin(entry), pinned]).catch(async (error: unknown) => {
        await cache.remove(id); // no plugin was called
        throw error;
      });
      const { raw } = await addChain(run, entry, signal);
      const attached = { ...entry, result: raw };
      cache.complete(attached);
      const attachment = attachmentFrom(attached, raw);
      // The kubelet would make the pod's sandbox anew, over and over and without a word.
      if (attachment.ips.length === 0) {
        throw new Fault(
          'internal',
          `CNI ADD of network ${network.name}: no plugin gave the pod an IP address`,
        );
      }
      return attachment;
    } finally {
      this.#attaching.delete(id);
    }
  }

  async detach(id: string, netns: string | null, signal?: AbortSignal): Promise<void> {
    const { cache, run } = this.#parts;
    const entry = await this.#recordFor(id);
    if (entry === null) return;
    await delChain(run, entry, { netns: livingNamespace(netns), signal });
    await cache.remove(id);
  }

  attachments(): Promise<string[]> {
    return this.#parts.cache.ids();
  }

  async attachment(id: string): Promise<Attachment | null> {
    const entry = await this.#parts.cache.read(id);
    return entry === null || entry.result === null ? null : attachmentFrom(entry, entry.result);
  }

  async check(id: string, netns: string): Promise<void> {
    const { cache, run, log } = this.#parts;
    const entry = await cache.read(id);
    if (entry === null || entry.result === null) {
      throw new Fault('failed_precondition', `sandbox ${id} is not attached to a network`);
    }
    const { cniVersion, disableCheck, name } = entry.network;
    if (disableCheck || !isAtLeast(cniVersion, '0.4.0')) {
      log.debug({ network: name, cniVersion, disableCheck }, 'CNI CHECK skipped');
      return;
    }
    await checkChain(run, entry, netns);
  }

  async gc(keep: string[]): Promise<void> {
    const networks = [...this.#parts.watches.values()].flatMap(({ state }) => state.network ?? []);
    const byName = new Map(networks.map((each) => [each.name, each]));
    // One that fails is no reason to leave out the others.
    await allSettled([...byName.values()].map((network) => this.#gcOf(network, keep)));
  }

  async #gcOf(network: NetworkConfig, keep: string[]): Promise<void> {
    const { name, cniVersion, disableGC } = network;
    if (disableGC || !isAtLeast(cniVersion, '1.1.0')) {
      this.#parts.log.debug({ network: name, cniVersion, disableGC }, 'CNI GC skipped');
      return;
    }
    const collection = this.#collecting.then(() => this.#collect(network, keep));
    this.#collecting = collection.catch(() => {}); // its own caller gets the error
    await collection;
  }

  /** A sandbox with a record keeps its addresses until its DEL, also when `keep` does not name it. */
  async #collect(network: NetworkConfig, keep: string[]): Promise<void> {
    const { cache, run } = this.#parts;
    const attaching = [...this.#attaching];
    await gcChain(run, network, [...new Set([...keep, ...attaching, ...(await cache.ids())])]);
  }

  /** Empty is the directory of pods that name none. */
  #watch(confDir: string): ConfigWatch {
    const dir = confDir === '' ? this.#parts.confDir : confDir;
    const watch = this.#parts.watches.get(dir);
    if (!watch) throw new Fault('internal', `CNI directory ${dir} is not watched`);
    return watch;
  }

  /** Looks once more before it refuses: the file may have come this very moment. */
  async #network(confDir: string): Promise<NetworkConfig> {
    const watch = this.#watch(confDir);
    const network = watch.state.network ?? (await watch.refresh()).network;
    if (network === null) throw new Fault('unavailable', watch.state.problem);
    return network;
  }

  /** With a record that cannot be read, DEL is run by today's network: better than a pod that never goes. */
  async #recordFor(id: string): Promise<CacheEntry | null> {
    const { cache, log } = this.#parts;
    try {
      return await cache.read(id);
    } catch (err) {
      if (!isCode(err, 'data_loss')) throw err;
      // Most likely nothing was begun; with a network at hand its DEL makes sure, and without one nothing can.
      if (this.#watch('').state.network === null && (await cache.isHalfBegun(id))) {
        await cache.remove(id);
        return null;
      }
      log.error({ err, sandboxId: id }, 'network record is broken, detaching by the present network');
      const pod = { name: '', namespace: '', uid: '' };
      return {
        version: 1,
        id,
        netns: '',
        pod,
        network: await this.#network(''),
        capabilityArgs: {},
        result: null,
      };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { watches, probe } = this.#parts;
    for (const watch of watches.values()) await watch[Symbol.asyncDispose]();
    await probe[Symbol.asyncDispose]();
  }
}

function attachmentFrom({ network }: CacheEntry, raw: NonNullable<CacheEntry['result']>): Attachment {
  return { network: network.name, ips: podIps(readResult(raw), IF_NAME), result: raw };
}

/** The file system type of namespaces, from linux/magic.h. */
const NSFS_MAGIC = 0x6e736673;

/** The path, or '' where there is no namespace any more: the specification's way to say so. */
function livingNamespace(path: string | null): string {
  if (path === null || path === '') return '';
  try {
    return statfsSync(path).type === NSFS_MAGIC ? path : '';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

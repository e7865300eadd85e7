import { messageOf } from '../../lib/fault.ts';
import type { PluginBinaries } from './binaries.ts';
import { statusChain } from './chain.ts';
import type { NetworkConfig } from './config.ts';
import type { ConfigState } from './config-dir.ts';
import type { RunPlugin } from './plugin.ts';
import { isAtLeast } from './version.ts';

export interface NetworkStatus {
  ready: boolean;
  reason: string;
  message: string;
}

const READY: NetworkStatus = { ready: true, reason: '', message: '' };

/** How long an answer of the plugins counts, in milliseconds. The kubelet asks every few seconds. */
const FRESH_MS = 5_000;

/** How long one question waits for the plugins. After it, the answer before is given, if any. */
const PATIENCE_MS = 2_000;

/**
 * Says whether the network can take pods. Asks the plugins (STATUS, since 1.1.0) at most once in
 * five seconds, and one question at a time; all else is looked up in memory.
 */
export class StatusProbe implements AsyncDisposable {
  readonly #run: RunPlugin;
  readonly #binaries: PluginBinaries;
  readonly #closing = new AbortController();
  #last: { network: NetworkConfig; at: number; status: NetworkStatus } | null = null;
  #running: { network: NetworkConfig; done: Promise<NetworkStatus> } | null = null;

  constructor(options: { run: RunPlugin; binaries: PluginBinaries }) {
    this.#run = options.run;
    this.#binaries = options.binaries;
  }

  async status({ network, file, problem }: ConfigState): Promise<NetworkStatus> {
    if (network === null) return notReady(problem);
    const missing = await this.#binaries.missing(network.plugins.map(({ type }) => type));
    if (missing.length > 0) {
      const dirs = this.#binaries.dirs.join(', ');
      return notReady(
        `CNI network ${network.name} (${file}): no executable ${missing.join(', ')} in ${dirs}`,
      );
    }
    return isAtLeast(network.cniVersion, '1.1.0') ? this.#askPlugins(network) : READY;
  }

  async #askPlugins(network: NetworkConfig): Promise<NetworkStatus> {
    const last = this.#last?.network === network ? this.#last : null;
    if (last !== null && performance.now() - last.at < FRESH_MS) return last.status;
    if (this.#running?.network !== network) this.#running = { network, done: this.#ask(network) };

    const patience = Promise.withResolvers<NetworkStatus>();
    const timer = setTimeout(() => {
      patience.resolve(last?.status ?? notReady(`CNI network ${network.name}: no answer to STATUS yet`));
    }, PATIENCE_MS);
    try {
      return await Promise.race([this.#running.done, patience.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Never rejects. The plugin's own time limit ends it. */
  async #ask(network: NetworkConfig): Promise<NetworkStatus> {
    let status = READY;
    try {
      await statusChain(this.#run, network, this.#closing.signal);
    } catch (error) {
      status = notReady(messageOf(error));
    }
    this.#last = { network, at: performance.now(), status };
    if (this.#running?.network === network) this.#running = null;
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running?.done;
  }
}

function notReady(message: string): NetworkStatus {
  return { ready: false, reason: 'NetworkPluginNotReady', message };
}

import type { Logger } from 'pino';
import type { NamespaceThread } from '../host/namespaces.ts';
import type { InterfaceCounters } from '../host/net-dev.ts';
import { parseNetDev } from '../host/net-dev.ts';
import { nowNs } from '../lib/time.ts';
import { pinsDir } from '../sandbox/release.ts';
import type { Paths } from '../store/paths.ts';
import type { Sandbox } from '../store/sandboxes.ts';
import { usesHostNetwork } from '../store/sandboxes.ts';
import type { ShortMemory } from './short-memory.ts';

/** Traffic of a pod at one moment. */
export interface NetworkReading {
  /** In nanoseconds since the epoch. */
  readonly at: bigint;
  readonly interfaces: readonly InterfaceCounters[];
}

export interface NetworkNeeds {
  readonly namespaces: Pick<NamespaceThread, 'netDev'>;
  readonly paths: Pick<Paths, 'sandboxState'>;
  readonly log: Logger;
}

/** Remembers each pod's part of the visit that reads it. */
export type NetworkMemory = ShortMemory<Promise<NetworkReading | null>>;

/** By id, of those pods that are ready and have a network of their own that is still there. */
export async function readNetworks(
  needs: NetworkNeeds,
  memory: NetworkMemory,
  pods: readonly Sandbox[],
): Promise<Map<string, NetworkReading>> {
  const own = pods.filter(({ state, config }) => state === 'ready' && !usesHostNetwork(config));
  const readings = new Map(own.map(({ id }) => [id, memory.get(id)]));
  const unread = own.filter(({ id }) => readings.get(id) === undefined);
  const visit = visitAll(needs, unread);
  for (const [index, { id }] of unread.entries()) {
    const reading = visit.then((answers) => answers[index] ?? null);
    readings.set(id, reading);
    memory.keep(id, reading);
  }
  const found = new Map<string, NetworkReading>();
  for (const [id, reading] of readings) {
    const value = await reading;
    if (value) found.set(id, value);
  }
  return found;
}

/** One batch for all pods, since each question to the thread costs more than a visit to a namespace. */
async function visitAll(
  { namespaces, paths, log }: NetworkNeeds,
  pods: readonly Sandbox[],
): Promise<(NetworkReading | null)[]> {
  if (pods.length === 0) return [];
  try {
    const texts = await namespaces.netDev(pods.map(({ id }) => `${pinsDir(paths.sandboxState(id))}/net`));
    const at = nowNs();
    return texts.map((text) => (text === null ? null : { at, interfaces: parseNetDev(text) }));
  } catch (err) {
    // All that is not about the network is still worth telling.
    log.warn({ err }, 'the traffic of pods could not be read');
    return [];
  }
}

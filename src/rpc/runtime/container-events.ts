import type { Logger } from 'pino';
import type { ContainerEventResponse } from '../../gen/runtime/v1/ContainerEventResponse.ts';
import type { ContainerEventType__Output as EventType } from '../../gen/runtime/v1/ContainerEventType.ts';
import { Broadcast } from '../../lib/broadcast.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import { statusesIn } from '../container/status.ts';
import { toStatus } from '../sandbox/status.ts';
import type { Services } from '../services.ts';
import { containerEvents, sandboxEvents } from './event-types.ts';

/** As many as the kubelet holds itself, and as long as containerd's CRI keeps what nobody asked for. */
const LIMITS = { capacity: 1_000, keepMs: 300_000 };

/** What happens to pods and containers, for all who subscribe. */
export interface ContainerEvents extends Disposable {
  /** How many events slow subscribers have lost since the start. */
  readonly lost: number;
  /** Ends with the signal's reason, or when cristal stops. */
  subscribe(signal: AbortSignal): AsyncIterable<ContainerEventResponse>;
  /** Sends what recovery found out, now that every pod is known with all of its containers. */
  open(): void;
  /** Ends all subscriptions. */
  [Symbol.dispose](): void;
}

type Needs = Pick<Services, 'containers' | 'images' | 'sandboxes'> & { readonly log: Logger };

interface Change {
  readonly id: string;
  readonly sandboxId: string;
  /** As it was last seen, when this change removed it. */
  readonly removed: Sandbox | null;
  readonly types: readonly EventType[];
  readonly createdAt: bigint;
}

/**
 * Makes an event of every change of state in the two stores, which is the one place that all of them pass.
 * The statuses in it are those of the very moment, taken before anything else can change.
 */
export function createContainerEvents(needs: Needs): ContainerEvents {
  const { containers, sandboxes, log } = needs;
  const events = new Broadcast<ContainerEventResponse>(LIMITS, () => {
    log.warn({ lost: events.lost }, 'a subscriber of container events reads too slowly and loses the oldest');
  });
  const now = createClock();
  let held: Change[] | null = [];
  const tell = (change: Omit<Change, 'createdAt'>): void => {
    if (change.types.length === 0) return;
    const dated = { ...change, createdAt: now() };
    if (held) held.push(dated);
    else for (const event of toEvents(needs, dated)) events.send(event);
  };
  sandboxes.watch((before, after) => {
    const id = (after ?? before)?.id ?? '';
    tell({ id, sandboxId: id, removed: after ? null : before, types: sandboxEvents(before, after) });
  });
  containers.watch((before, after) => {
    const { id, sandboxId } = after ?? before ?? { id: '', sandboxId: '' };
    tell({ id, sandboxId, removed: null, types: containerEvents(before, after) });
  });
  return {
    get lost() {
      return events.lost;
    },
    subscribe: (signal) => events.subscribe(signal),
    open: () => {
      const found = held ?? [];
      held = null;
      for (const change of found) for (const event of toEvents(needs, change)) events.send(event);
    },
    [Symbol.dispose]: () => events.close(),
  };
}

/** The kubelet ignores an event without the pod's status, so that of a removed pod is its last one. */
function toEvents(
  needs: Needs,
  { id, sandboxId, removed, types, createdAt }: Change,
): ContainerEventResponse[] {
  const sandbox = removed ?? needs.sandboxes.get(sandboxId);
  const podSandboxStatus = sandbox && toStatus(sandbox);
  const containersStatuses = statusesIn(needs, sandboxId);
  return types.map((containerEventType) => ({
    containerId: id,
    containerEventType,
    createdAt: createdAt.toString(),
    podSandboxStatus,
    containersStatuses,
  }));
}

/**
 * Nanoseconds since 1970, never the same twice. The kubelet drops what is older than the last look that it
 * took itself, so a millisecond counts by its end: then no event is older than what it tells of.
 */
function createClock(): () => bigint {
  let last = 0n;
  return () => {
    const end = BigInt(Date.now() + 1) * 1_000_000n;
    last = end > last ? end : last + 1n;
    return last;
  };
}

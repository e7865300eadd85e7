import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope__Output } from '../gen/containerd/types/Envelope.ts';
import type { Connection } from './connection.ts';
import type { EventBody } from './event-body.ts';
import { decodeEvent } from './event-body.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';
import { fromAny } from './typed-any.ts';

export interface ContainerdEvent {
  /** Nanoseconds since the epoch. */
  timestamp: bigint;
  namespace: string;
  /** Such as `/tasks/exit`. */
  topic: string;
  /** `subscribed` comes first and once: from here on nothing is missed, so now is the time to look. */
  event: EventBody | { type: 'subscribed' };
}

export type Events = ReturnType<typeof createEvents>;

const service = api['containerd.services.events.v1.Events'];

/** How long we wait for our own event before we send it again. */
const ECHO_MS = 25;

export function createEvents(connection: Connection) {
  return {
    /**
     * Events of our namespace that match any of the filters (all, when there is none), from now on:
     * containerd keeps no past ones. Starts at once. Throws a Fault when the connection breaks or the
     * signal fires.
     *
     * containerd does not say when a subscription has taken effect. So we publish an event of our own
     * until it comes back, and hand that out as `subscribed`.
     */
    subscribe(filters: string[], signal: AbortSignal): AsyncIterable<ContainerdEvent> {
      const marker = `/cristal/subscribed/${randomBytes(8).toString('hex')}`;
      const echo = new AbortController();
      const failed = new AbortController();
      const stream = connection.serverStream(
        service.Subscribe,
        { filters: subscriptionFilters(connection.namespace, filters, marker) },
        { signal: AbortSignal.any([signal, failed.signal]) },
      );
      // Whoever listens learns of a failure to publish as the end of the stream.
      publishUntil(connection, marker, AbortSignal.any([signal, echo.signal])).catch((error: unknown) => {
        failed.abort(error);
      });
      return decodeAll(stream, marker, echo);
    },
  };
}

/** containerd sends the events of all namespaces unless told otherwise. */
function subscriptionFilters(namespace: string, filters: string[], marker: string): string[] {
  const ours = `namespace==${JSON.stringify(namespace)}`;
  const wanted = filters.length === 0 ? [ours] : filters.map((filter) => `${ours},${filter}`);
  return [...wanted, `${ours},topic==${JSON.stringify(marker)}`];
}

async function publishUntil(connection: Connection, topic: string, signal: AbortSignal): Promise<void> {
  // A type that every client can decode; nobody but us listens to the topic.
  const type = 'containerd.events.NamespaceUpdate';
  const value = api[type].serialize({ name: connection.namespace });
  try {
    while (!signal.aborted) {
      await connection.unary(service.Publish, { topic, event: { type_url: type, value } }, { signal });
      await sleep(ECHO_MS, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function* decodeAll(
  stream: AsyncIterable<Envelope__Output>,
  marker: string,
  echo: AbortController,
): AsyncGenerator<ContainerdEvent, void, undefined> {
  try {
    for await (const { timestamp, namespace, topic, event } of stream) {
      const common = { timestamp: nsFromTimestamp(timestamp), namespace, topic };
      if (topic !== marker) yield { ...common, event: decodeEvent(fromAny(event)) };
      else if (!echo.signal.aborted) {
        echo.abort();
        yield { ...common, event: { type: 'subscribed' } };
      }
    }
  } finally {
    echo.abort();
  }
}

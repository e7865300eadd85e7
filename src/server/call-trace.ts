import type { Logger } from 'pino';
import type { RootOptions, Tracer } from '../lib/trace.ts';
import { parseTraceparent } from '../lib/trace-context.ts';
import { isRead } from './call-log.ts';

/** What every call is served with. */
export interface Edge {
  readonly log: Logger;
  readonly tracer: Tracer;
  /** What a request is about, in words for people; null where it is about nothing in particular. */
  readonly targetOf: (request: unknown) => string | null;
}

/** How the trace of a call begins. */
export function rootOf(
  rpc: string,
  request: unknown,
  { targetOf, headers }: Pick<Edge, 'targetOf'> & { headers: ReadonlyMap<string, string> },
): RootOptions {
  const target = targetOf(request);
  const parent = headers.get('traceparent');
  return {
    kind: 'rpc',
    name: rpc,
    quiet: isRead(rpc),
    context: parent === undefined ? null : parseTraceparent(parent),
    attributes: target === null ? null : { target },
  };
}

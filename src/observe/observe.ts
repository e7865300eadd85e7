import type { Logger } from 'pino';
import type { TracingConfig } from '../config/schema.ts';
import type { Tracer } from '../lib/trace.ts';
import { debugRoutes } from './debug-routes.ts';
import { serveHttp } from './http-server.ts';
import { KeptTraces } from './kept-traces.ts';

export interface ObserveOptions {
  readonly tracing: TracingConfig;
  /** Where `cristal trace` asks; null serves nobody. */
  readonly debugSocket: string | null;
  readonly tracer: Tracer;
  readonly log: Logger;
}

/** Keeps what the tracer sees, and shows it. What has a lifetime goes on the stack. */
export async function observe(options: ObserveOptions, stack: AsyncDisposableStack): Promise<void> {
  const { tracing, debugSocket, tracer, log } = options;
  const kept = new KeptTraces(tracing);
  tracer.add(kept);
  if (debugSocket !== null) {
    const place = { path: debugSocket };
    const answer = debugRoutes({ tracer, kept });
    stack.use(await serveHttp({ place, setting: 'tracing.debug_socket', answer, log }));
  }
}

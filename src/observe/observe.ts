import type { Logger } from 'pino';
import type { MetricsConfig, TracingConfig } from '../config/schema.ts';
import type { Tracer } from '../lib/trace.ts';
import { debugRoutes } from './debug-routes.ts';
import type { Place } from './http-server.ts';
import { serveHttp } from './http-server.ts';
import { KeptTraces } from './kept-traces.ts';
import type { MetricSources } from './metrics.ts';
import type { TraceExporter } from './trace-exporter.ts';

export interface ObserveOptions extends Omit<MetricSources, 'exporter'> {
  readonly tracing: TracingConfig;
  readonly metrics: MetricsConfig;
  /** Where `cristal trace` asks; null serves nobody. */
  readonly debugSocket: string | null;
  readonly tracer: Tracer;
  readonly log: Logger;
  /** Names this machine to collectors. */
  readonly facts: { readonly hostname: string };
}

/** Keeps what the tracer sees, and shows it. What has a lifetime goes on the stack. */
export async function observe(options: ObserveOptions, stack: AsyncDisposableStack): Promise<void> {
  const { tracing, metrics, debugSocket, tracer, log } = options;
  const kept = new KeptTraces(tracing);
  tracer.add(kept);
  if (debugSocket !== null) {
    const place = { path: debugSocket };
    const answer = debugRoutes({ tracer, kept });
    try {
      stack.use(await serveHttp({ place, setting: 'tracing.debug_socket', answer, log }));
    } catch (err) {
      // Pods come first, unless somebody asked for this socket.
      if (tracing.debugSocket !== 'auto') throw err;
      log.error({ err }, 'debug socket cannot be served, `cristal trace` will find nobody');
    }
  }
  const exporter = tracing.endpoint === '' ? null : stack.use(await startExporter(options));
  if (metrics.address !== '') {
    // The library takes 12 MB, which nodes without Prometheus need not pay.
    const { createMetrics } = await import('./metrics.ts');
    const answer = createMetrics(tracer, { ...options, exporter });
    stack.use(await serveHttp({ place: placeOf(metrics.address), setting: 'metrics.address', answer, log }));
  }
}

async function startExporter({
  tracing,
  tracer,
  log,
  version,
  facts,
}: ObserveOptions): Promise<TraceExporter> {
  const module = await import('./trace-exporter.ts');
  const endpoint = new URL(tracing.endpoint);
  if (endpoint.pathname === '/') endpoint.pathname = '/v1/traces';
  const exporter = new module.TraceExporter({
    endpoint: endpoint.href,
    perMillion: tracing.samplingRatePerMillion,
    resource: { 'service.name': 'cristal', 'service.version': version, 'host.name': facts.hostname },
    log,
  });
  tracer.add(exporter);
  return exporter;
}

/** A path, or an IP address and a port, as the settings have them. */
function placeOf(address: string): Place {
  if (address.startsWith('/')) return { path: address };
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replaceAll(/[[\]]/g, '');
  return { host, port: Number(address.slice(colon + 1)) };
}

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { Fault } from '../lib/fault.ts';
import type { Tracer } from '../lib/trace.ts';
import type { Answerer } from './http-server.ts';
import { spanMetrics } from './span-metrics.ts';

/** What is counted when somebody asks. */
export interface MetricSources {
  readonly version: string;
  readonly sandboxes: { list(): readonly { readonly state: string }[] };
  readonly containers: { list(): readonly { readonly state: string }[] };
  readonly pump: { written(): Promise<number> };
  readonly containerEvents: { readonly lost: number };
  /** Null where no traces are exported. */
  readonly exporter: { readonly exported: number; readonly dropped: number } | null;
}

/** How often the delay of the event loop is looked at, in milliseconds: each look wakes the process. */
const LOOP_PRECISION_MS = 50;

/** Starts to count. Answers `GET /metrics` in the text format of Prometheus. */
export function createMetrics(tracer: Tracer, sources: MetricSources): Answerer {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS });
  tracer.add(spanMetrics(registry, tracer));
  stateGauge(registry, 'cristal_pod_sandboxes', 'Pod sandboxes by state.', sources.sandboxes);
  stateGauge(registry, 'cristal_containers', 'Containers by state.', sources.containers);
  const { pump, exporter, containerEvents } = sources;
  readCounter(registry, 'cristal_log_bytes_total', 'Bytes that were written to container logs.', () =>
    pump.written(),
  );
  const lost = 'Container events that subscribers lost, since they read too slowly.';
  readCounter(registry, 'cristal_container_events_lost_total', lost, () => containerEvents.lost);
  const exported = 'Spans of traces that the collector took.';
  readCounter(registry, 'cristal_trace_spans_exported_total', exported, () => exporter?.exported ?? 0);
  const dropped = 'Spans of traces that were to be exported and were not.';
  readCounter(registry, 'cristal_trace_spans_dropped_total', dropped, () => exporter?.dropped ?? 0);
  const build = { name: 'cristal_build_info', help: 'Always 1.', labelNames: ['version', 'node'] };
  new Gauge({ ...build, registers: [registry] }).set({ version: sources.version, node: process.version }, 1);
  return async ({ pathname }) => {
    if (pathname !== '/metrics')
      throw new Fault('not_found', `nothing is served at ${pathname} but /metrics`);
    // The library writes "Nan" for the delays of a loop that nobody looked at since the last scrape.
    const body = (await registry.metrics()).replaceAll(/ Nan$/gm, ' NaN');
    return { type: registry.contentType, body };
  };
}

function stateGauge(
  registry: Registry,
  name: string,
  help: string,
  store: MetricSources['containers'],
): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames: ['state'],
    registers: [],
    collect() {
      this.reset();
      for (const { state } of store.list()) this.inc({ state });
    },
  });
  registry.registerMetric(gauge);
}

/** A counter that somebody else counts. */
function readCounter(
  registry: Registry,
  name: string,
  help: string,
  read: () => Promise<number> | number,
): void {
  const counter = new Counter({
    name,
    help,
    registers: [],
    async collect() {
      const value = await read();
      this.reset();
      this.inc(value);
    },
  });
  registry.registerMetric(counter);
}

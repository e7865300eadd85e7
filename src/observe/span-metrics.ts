import type { Registry } from 'prom-client';
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Span, Tracer, TraceSink } from '../lib/trace.ts';

/** In seconds: a stage takes from a fraction of a millisecond to minutes. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

type Recorder = (span: Span, seconds: number) => void;

/**
 * Counts and times what the tracer sees end: the one place that turns stages into metrics. The names of
 * stages come from short lists and are labels; their attributes never are.
 */
export function spanMetrics(registry: Registry, tracer: Tracer): Required<Pick<TraceSink, 'spanEnded'>> {
  inFlight(registry, tracer);
  const recorders: Record<string, Recorder> = {
    rpc: rpcRecorder(registry),
    phase: phaseRecorder(registry),
    containerd: containerdRecorder(registry),
    cni: cniRecorder(registry),
    pull: pullRecorder(registry),
    exit: exitRecorder(registry),
  };
  const stage = stageRecorder(registry);
  return {
    spanEnded(span) {
      const seconds = ((span.end ?? span.start) - span.start) / 1000;
      const record = recorders[span.kind];
      if (record) record(span, seconds);
      // Waits for an operation repeat what the operation itself says.
      else if (span.link === null) stage(span, seconds);
    },
  };
}

function rpcRecorder(registry: Registry): Recorder {
  const count = counter(registry, 'cristal_rpc_requests_total', 'CRI calls that were answered.', [
    'rpc',
    'code',
  ]);
  const time = histogram(registry, 'cristal_rpc_duration_seconds', 'Time until a CRI call was answered.', [
    'rpc',
  ]);
  return ({ name: rpc, code }, seconds) => {
    count.inc({ rpc, code: code ?? '' });
    time.observe({ rpc }, seconds);
  };
}

function inFlight(registry: Registry, tracer: Tracer): void {
  const gauge = new Gauge({
    name: 'cristal_rpc_in_flight',
    help: 'CRI calls that are being served.',
    labelNames: ['rpc'],
    registers: [],
    collect() {
      this.reset();
      for (const { root } of tracer.running()) if (root.kind === 'rpc') this.inc({ rpc: root.name });
    },
  });
  registry.registerMetric(gauge);
}

function phaseRecorder(registry: Registry): Recorder {
  const labels = ['work', 'phase'];
  const time = histogram(
    registry,
    'cristal_phase_duration_seconds',
    'Time of each phase of calls and pulls.',
    labels,
  );
  return ({ name: phase, tree }, seconds) => time.observe({ work: tree.root.name, phase }, seconds);
}

function containerdRecorder(registry: Registry): Recorder {
  const count = counter(registry, 'cristal_containerd_calls_total', 'Calls of containerd.', [
    'method',
    'code',
  ]);
  const help = 'Time that containerd took to answer.';
  const time = histogram(registry, 'cristal_containerd_call_duration_seconds', help, ['method']);
  return ({ name: method, code }, seconds) => {
    count.inc({ method, code: code ?? '' });
    time.observe({ method }, seconds);
  };
}

function cniRecorder(registry: Registry): Recorder {
  const labels = ['plugin', 'verb'];
  const help = 'Calls of CNI plugins that failed, or took too long.';
  const failed = counter(registry, 'cristal_cni_plugin_failures_total', help, [...labels, 'code']);
  const time = histogram(registry, 'cristal_cni_plugin_duration_seconds', 'Time of CNI plugins.', labels);
  return ({ name, code }, seconds) => {
    const [plugin = '', verb = ''] = name.split(' ');
    time.observe({ plugin, verb }, seconds);
    if (code !== 'ok') failed.inc({ plugin, verb, code: code ?? '' });
  };
}

function pullRecorder(registry: Registry): Recorder {
  const count = counter(registry, 'cristal_pulls_total', 'Pulls of images that ended.', ['code']);
  const time = histogram(registry, 'cristal_pull_duration_seconds', 'Time of whole pulls.', []);
  return ({ code }, seconds) => {
    count.inc({ code: code ?? '' });
    time.observe({}, seconds);
  };
}

function exitRecorder(registry: Registry): Recorder {
  const exits = counter(registry, 'cristal_container_exits_total', 'Containers that exited.', ['reason']);
  const help = 'Processes that the kernel killed for memory, in containers that exited.';
  const kills = counter(registry, 'cristal_container_oom_kills_total', help, []);
  return ({ name: reason, attributes }) => {
    exits.inc({ reason });
    kills.inc(Number(attributes?.['oomKills'] ?? 0));
  };
}

/** All other stages; what layers fetch is counted as well. */
function stageRecorder(registry: Registry): Recorder {
  const help = 'Time of all other stages, such as namespaces, locks, log requests and files.';
  const time = histogram(registry, 'cristal_stage_duration_seconds', help, ['kind', 'stage']);
  const bytes = counter(registry, 'cristal_pull_bytes_total', 'Bytes of layers that were downloaded.', []);
  return ({ kind, name: stage, attributes }, seconds) => {
    time.observe({ kind, stage }, seconds);
    if (kind === 'layer') bytes.inc(Number(attributes?.['bytes'] ?? 0));
  };
}

function counter(registry: Registry, name: string, help: string, labelNames: string[]) {
  return new Counter({ name, help, labelNames, registers: [registry] });
}

function histogram(registry: Registry, name: string, help: string, labelNames: string[]) {
  return new Histogram({ name, help, labelNames, buckets: BUCKETS, registers: [registry] });
}

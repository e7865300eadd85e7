import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Fault } from '../lib/fault.ts';
import { span, Tracer } from '../lib/trace.ts';
import { createMetrics } from './metrics.ts';

const sources = {
  version: '1.2.3',
  sandboxes: { list: () => [{ state: 'ready' }, { state: 'ready' }, { state: 'unknown' }] },
  containers: { list: () => [] },
  pump: { written: async () => 42 },
  containerEvents: { lost: 5 },
  exporter: { exported: 7, dropped: 3 },
};

function start() {
  const tracer = new Tracer();
  const answer = createMetrics(tracer, sources);
  const scrape = async (path = '/metrics') => (await answer(new URL(path, 'http://x'))).body;
  return { tracer, scrape };
}

test('the page on observing has every metric, and no other', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/observing.md'), 'utf8');
  const told = [...page.matchAll(/^\| `(cristal_\w+)`/gm)].map(([, name]) => name);
  const served = [...(await start().scrape()).matchAll(/^# TYPE (cristal_\w+) /gm)].map(([, name]) => name);
  expect(new Set(told)).toEqual(new Set(served));
});

test('stages become metrics by their kinds, and what is not a stage is counted when asked', async () => {
  const { tracer, scrape } = start();
  await tracer.run({ kind: 'pull', name: 'pull' }, async (root) => {
    root.phase('fetch');
    await span('layer', 'fetch', (own) => own?.set('bytes', 1000));
    await span('lock', 'blob', () => null);
  });
  const failing = tracer.run({ kind: 'event', name: 'task-exit' }, async () => {
    await span('exit', 'OOMKilled', (own) => own?.set('oomKills', 2));
    await span('cni', 'bridge DEL', () => Promise.reject(new Fault('deadline_exceeded', 'late')));
  });
  await failing.catch(() => {});
  const lines = (await scrape()).split('\n');
  for (const line of [
    'cristal_pulls_total{code="ok"} 1',
    'cristal_pull_bytes_total 1000',
    'cristal_phase_duration_seconds_count{work="pull",phase="fetch"} 1',
    'cristal_stage_duration_seconds_count{kind="layer",stage="fetch"} 1',
    'cristal_stage_duration_seconds_count{kind="lock",stage="blob"} 1',
    'cristal_stage_duration_seconds_count{kind="event",stage="task-exit"} 1',
    'cristal_container_exits_total{reason="OOMKilled"} 1',
    'cristal_container_oom_kills_total 2',
    'cristal_cni_plugin_failures_total{plugin="bridge",verb="DEL",code="deadline_exceeded"} 1',
    'cristal_pod_sandboxes{state="ready"} 2',
    'cristal_log_bytes_total 42',
    'cristal_container_events_lost_total 5',
    'cristal_trace_spans_exported_total 7',
    'cristal_trace_spans_dropped_total 3',
  ]) {
    expect(lines).toContain(line);
  }
});

test('calls in flight are those that run now', async () => {
  const { tracer, scrape } = start();
  const gate = Promise.withResolvers<void>();
  const call = tracer.run({ kind: 'rpc', name: 'Stop' }, () => gate.promise);
  expect(await scrape()).toContain('cristal_rpc_in_flight{rpc="Stop"} 1\n');
  gate.resolve();
  await call;
  expect(await scrape()).not.toContain('cristal_rpc_in_flight{');
  await expect(scrape('/')).rejects.toMatchObject({ code: 'not_found' });
});

import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultWorld } from '../faults/world.ts';
import { createFaultWorld, failure } from '../faults/world.ts';
import { eventually } from '../fixtures/processes.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import { whyNot } from '../fixtures/tools.ts';
import type { Sample } from './prometheus-text.ts';
import { parsePrometheus } from './prometheus-text.ts';

/** The sum of all series that have these labels. */
function valueOf(samples: Sample[], name: string, labels: Record<string, string> = {}): number {
  const wanted = samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return wanted.reduce((sum, { value }) => sum + value, 0);
}

describe.skipIf(whyNot('2.3') !== null)('the Prometheus endpoint', () => {
  let world: FaultWorld;
  const dir = scratchDir('metrics');
  const socketPath = `${dir}/metrics.sock`;

  beforeAll(async () => {
    world = await createFaultWorld('2.3', { tables: ['[metrics]', `address = "${socketPath}"`] });
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    removeScratch(dir);
  });

  async function scrape(): Promise<Sample[]> {
    const asked = request({ socketPath, path: '/metrics' }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    return parsePrometheus(await text(response));
  }

  test('says what was done, and nothing else has changed', async () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    const before = await scrape();
    const pod = world.pod('counted');
    const { id, podId } = await world.runContainer(
      pod,
      world.container('talker', ['sh', '-c', 'echo hello; sleep 600']),
    );
    await failure(world.cri.runtime.containerStatus({ containerId: 'nobody' }));
    world.fake.fault('ADD', 'fail');
    await failure(world.runPod(world.pod('refused')));
    world.fake.fault('ADD', null);
    const logged = () => readFileSync(`${pod.logDirectory}/talker.log`, 'utf8');
    expect(await eventually(() => logged().includes('hello'), 5_000)).toBe(true);

    let after = await scrape();
    const grown = (name: string, labels?: Record<string, string>) =>
      valueOf(after, name, labels) - valueOf(before, name, labels);
    const rpcs = 'cristal_rpc_requests_total';
    expect(grown(rpcs, { rpc: 'RunPodSandbox', code: 'ok' })).toBe(1);
    expect(grown(rpcs, { rpc: 'RunPodSandbox', code: 'unavailable' })).toBe(1);
    expect(grown('cristal_rpc_duration_seconds_count', { rpc: 'RunPodSandbox' })).toBe(2);
    expect(grown(rpcs, { rpc: 'ContainerStatus', code: 'not_found' })).toBe(1);
    expect(grown(rpcs)).toBe(5);
    expect(valueOf(after, 'cristal_rpc_in_flight')).toBe(0);

    const added = { plugin: 'faulty-bridge', verb: 'ADD' };
    expect(grown('cristal_cni_plugin_duration_seconds_count', added)).toBe(2);
    expect(grown('cristal_cni_plugin_duration_seconds_sum', added)).toBeGreaterThan(0.001);
    expect(grown('cristal_cni_plugin_failures_total', { ...added, code: 'unavailable' })).toBe(1);
    expect(grown('cristal_cni_plugin_failures_total')).toBe(1);
    for (const method of ['Snapshots.Prepare', 'Tasks.Create', 'Tasks.Start']) {
      expect(grown('cristal_containerd_calls_total', { method, code: 'ok' })).toBe(1);
      expect(grown('cristal_containerd_call_duration_seconds_count', { method })).toBe(1);
    }
    expect(grown('cristal_stage_duration_seconds_count', { kind: 'namespaces', stage: 'pin' })).toBe(2);
    expect(
      grown('cristal_phase_duration_seconds_count', { work: 'StartContainer', phase: 'create task' }),
    ).toBe(1);
    expect(grown('cristal_log_bytes_total')).toBe(logged().length);
    expect(valueOf(after, 'cristal_containers', { state: 'running' })).toBe(1);
    expect(valueOf(after, 'cristal_pod_sandboxes', { state: 'ready' })).toBe(1);
    expect(valueOf(after, 'cristal_pull_duration_seconds_count')).toBe(1);
    expect(valueOf(after, 'cristal_pull_bytes_total')).toBeGreaterThan(100_000);
    expect(valueOf(after, 'process_resident_memory_bytes')).toBeGreaterThan(30_000_000);
    expect(after.some(({ name }) => name === 'nodejs_eventloop_lag_p99_seconds')).toBe(true);

    await world.cri.runtime.stopContainer({ containerId: id, timeout: '0' });
    await eventually(async () => {
      after = await scrape();
      return valueOf(after, 'cristal_container_exits_total') > 0;
    }, 5_000);
    expect(grown('cristal_container_exits_total', { reason: 'Error' })).toBe(1);
    expect(valueOf(after, 'cristal_containers', { state: 'exited' })).toBe(1);
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
  });

  test('a process that the kernel kills for memory is counted', async () => {
    const resources = { memoryLimitInBytes: String(16 * 1024 * 1024) };
    const hungry = world.container('hungry', ['tail', '/dev/zero'], { linux: { resources } });
    const { id, podId } = await world.runContainer(world.pod('greedy'), hungry);
    const exited = async () => (await world.containerState(id)) === 'CONTAINER_EXITED';
    expect(await eventually(exited, 20_000)).toBe(true);
    const counted = async () => valueOf(await scrape(), 'cristal_container_oom_kills_total') >= 1;
    expect(await eventually(counted, 5_000)).toBe(true);
    expect(valueOf(await scrape(), 'cristal_container_exits_total', { reason: 'OOMKilled' })).toBe(1);
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
  });

  test('no label has an id, and another path is refused', async () => {
    const values = (await scrape()).flatMap(({ labels }) => Object.values(labels));
    expect(values.filter((value) => /[0-9a-f]{12}/.test(value))).toEqual([]);
    const asked = request({ socketPath, path: '/debug' }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect(response.resume().statusCode).toBe(404);
  });
});

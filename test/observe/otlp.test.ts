import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultWorld } from '../faults/world.ts';
import { createFaultWorld } from '../faults/world.ts';
import { whyNot } from '../fixtures/tools.ts';

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

interface ExportRequest {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue: string } }[] };
    scopeSpans: { spans: OtlpSpan[] }[];
  }[];
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const KUBELET_SPAN = '00f067aa0ba902b7';

describe.skipIf(whyNot('2.3') !== null)('traces for a collector', () => {
  let world: FaultWorld;
  let collector: Server;
  const requests: ExportRequest[] = [];
  const urls: (string | undefined)[] = [];

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    urls.push(`${request.method} ${request.url} ${request.headers['content-type']}`);
    requests.push((await json(request)) as ExportRequest);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}');
  };

  beforeAll(async () => {
    collector = createServer((request, response) => void take(request, response));
    await once(collector.listen(0, '127.0.0.1'), 'listening');
    const { port } = collector.address() as AddressInfo;
    world = await createFaultWorld('2.3', { tables: ['[tracing]', `endpoint = "http://127.0.0.1:${port}"`] });
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    collector.close();
    collector.closeAllConnections();
  });

  test('are sent when the daemon stops, below the span of the kubelet', async () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    const traceparent = `00-${TRACE}-${KUBELET_SPAN}-01`;
    const unsampled = `00-${TRACE.replace('4', '5')}-${KUBELET_SPAN}-00`;
    const config = world.pod('exported');
    const { runtime } = world.cri;
    const { podSandboxId } = await runtime.runPodSandbox({ config }, { metadata: { traceparent } });
    await runtime.version({}, { metadata: { traceparent: unsampled } });
    await runtime.listPodSandbox({}, { metadata: { traceparent: 'nonsense' } });
    expect(await world.cristal.terminate()).toBe(0);

    const spans = requests.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    );
    expect(new Set(urls)).toEqual(new Set(['POST /v1/traces application/json']));
    expect(requests[0]?.resourceSpans[0]?.resource.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: 'cristal' },
    });
    const ofCall = spans.filter(({ traceId }) => traceId === TRACE);
    const [root] = ofCall.filter(({ name }) => name === 'RunPodSandbox');
    expect(root).toMatchObject({ parentSpanId: KUBELET_SPAN });
    // Each of them hangs together with the call, whose work is a tree of its own.
    const parents = new Map(ofCall.map(({ spanId, parentSpanId }) => [spanId, parentSpanId]));
    const plugins = ofCall.filter(({ name }) => name.startsWith('cni '));
    expect(plugins.map(({ name }) => name)).toEqual(['cni faulty-bridge ADD', 'cni portmap ADD']);
    for (const { spanId } of ofCall) {
      let at: string | undefined = spanId;
      while (at !== undefined && at !== KUBELET_SPAN) at = parents.get(at);
      expect(at).toBe(KUBELET_SPAN);
    }
    for (const { startTimeUnixNano: start, endTimeUnixNano: end } of ofCall) {
      expect(BigInt(start) >= before - 1_000_000n && BigInt(end) >= BigInt(start)).toBe(true);
    }
    // Not sampled by its client; without a valid word of its client it is ours to choose.
    expect(spans.filter(({ traceId }) => unsampled.includes(traceId))).toEqual([]);
    expect(spans.find(({ name }) => name === 'ListPodSandbox')?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(spans.some(({ name }) => name === 'daemon recover')).toBe(true);

    await world.cristal.resume();
    await runtime.removePodSandbox({ podSandboxId });
  });

  test('a collector that is gone harms neither calls nor the stop', async () => {
    collector.close();
    collector.closeAllConnections();
    const podId = await world.runPod(world.pod('lonely'));
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
    const began = performance.now();
    expect(await world.cristal.terminate()).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(world.cristal.log().some((line) => line.includes('traces cannot be exported'))).toBe(true);
    await world.cristal.resume();
  });
});

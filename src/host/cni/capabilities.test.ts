import { expect, it, test } from 'vitest';

import type { AttachRequest } from './attachment.ts';
import { capabilityArgs, runtimeConfigFor } from './capabilities.ts';
import { parsePluginConfig } from './config.ts';

const ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';

function request(fields: Partial<AttachRequest> = {}): AttachRequest {
  return {
    id: 'abc',
    netns: '/run/netns/abc',
    pod: { name: 'web', namespace: 'default', uid: 'u1' },
    portMappings: [],
    annotations: {},
    dns: { servers: [], searches: [], options: [] },
    cgroupParent: '',
    confDir: '',
    ...fields,
  };
}

test('a plain pod has only its annotations', () => {
  expect(capabilityArgs(request())).toEqual({ [ANNOTATIONS]: {} });
});

test('only ports with a host port are mapped', () => {
  const { portMappings } = capabilityArgs(
    request({
      portMappings: [
        { protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' },
        { protocol: 'udp', containerPort: 53, hostPort: 0, hostIp: '' },
        { protocol: 'sctp', containerPort: 9, hostPort: 9, hostIp: '127.0.0.1' },
      ],
    }),
  );
  expect(portMappings).toEqual([
    { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
    { hostPort: 9, containerPort: 9, protocol: 'sctp', hostIP: '127.0.0.1' },
  ]);
});

it.each<[Record<string, string>, unknown]>([
  [{ 'kubernetes.io/ingress-bandwidth': '10M' }, { ingressRate: 10_000_000, ingressBurst: 4_294_967_295 }],
  [{ 'kubernetes.io/egress-bandwidth': '1Gi' }, { egressRate: 1_073_741_824, egressBurst: 4_294_967_295 }],
  [
    { 'kubernetes.io/ingress-bandwidth': '1k', 'kubernetes.io/egress-bandwidth': '1P' },
    { ingressRate: 1000, ingressBurst: 4_294_967_295, egressRate: 1e15, egressBurst: 4_294_967_295 },
  ],
  [{ other: '10M' }, undefined],
])('annotations %j give the bandwidth %j', (annotations, bandwidth) => {
  expect(capabilityArgs(request({ annotations })).bandwidth).toEqual(bandwidth);
});

it.each(['fast', '999', '2P', '-5M'])('refuses the bandwidth "%s" and names the annotation', (rate) => {
  expect(() => capabilityArgs(request({ annotations: { 'kubernetes.io/egress-bandwidth': rate } }))).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      message: expect.stringContaining('annotation kubernetes.io/egress-bandwidth: '),
    }),
  );
});

test('dns and cgroup are told when the pod has them', () => {
  const dns = { servers: ['10.0.0.10'], searches: ['svc'], options: [] };
  expect(capabilityArgs(request({ dns, cgroupParent: '/kubepods/pod1' }))).toMatchObject({
    dns,
    cgroupPath: '/kubepods/pod1',
  });
});

it.each<[unknown, unknown]>([
  [undefined, null],
  [{}, null],
  [{ mac: true }, null],
  [{ dns: true, mac: true, cgroupPath: false }, { dns: 1 }],
  [
    { dns: true, cgroupPath: true },
    { dns: 1, cgroupPath: 2 },
  ],
])('a plugin with the capabilities %j is told %j', (capabilities, told) => {
  const plugin = parsePluginConfig(JSON.stringify({ type: 'x', capabilities }));
  expect(runtimeConfigFor(plugin, { dns: 1, cgroupPath: 2 })).toEqual(told);
});

import { expect, test } from 'vitest';
import type { LinuxContainerConfig__Output } from '../gen/runtime/v1/LinuxContainerConfig.ts';
import { buildContainerSpec } from './container.ts';
import {
  containerConfig,
  containerInput,
  criMount,
  criResources,
  HOST,
  hostFacts,
  NEW,
  pinned,
  sandboxConfig,
  sandboxLinux,
  securityContext,
} from './fixtures.ts';
import type { ContainerSpecInput } from './input.ts';

function linux(over: Partial<LinuxContainerConfig__Output>): LinuxContainerConfig__Output {
  return { resources: criResources(), securityContext: securityContext(), ...over };
}

const namespaces = containerInput().namespaces;

test.each<[name: string, input: Partial<ContainerSpecInput>]>([
  ['plain', { config: containerConfig({ mounts: [criMount()] }) }],
  [
    'privileged',
    {
      sandbox: sandboxConfig({ linux: sandboxLinux({ privileged: true }) }),
      config: containerConfig({ linux: linux({ securityContext: securityContext({ privileged: true }) }) }),
    },
  ],
  ['host-network', { namespaces: { network: HOST, ipc: HOST, uts: HOST, pid: HOST } }],
  ['pod-pid', { namespaces: { ...namespaces, pid: pinned('pid') } }],
  [
    'resources',
    {
      facts: hostFacts({ mayLowerOomScore: false, oomScoreAdj: -10 }),
      config: containerConfig({
        linux: linux({
          resources: criResources({
            cpuShares: '512',
            cpuQuota: '50000',
            cpuPeriod: '100000',
            cpusetCpus: '0-1',
            memoryLimitInBytes: '67108864',
            oomScoreAdj: '-997',
            hugepageLimits: [{ pageSize: '2MB', limit: '0' }],
            unified: { 'memory.high': '50000000' },
          }),
        }),
      }),
    },
  ],
  ['tty', { config: containerConfig({ tty: true, stdin: true, command: ['/bin/sh'] }) }],
])('the whole spec: %s', async (name, over) => {
  const spec = buildContainerSpec(containerInput(over));
  await expect(`${JSON.stringify(spec, null, 2)}\n`).toMatchFileSnapshot(`snapshots/${name}.json`);
});

test.each([null, sandboxLinux({}), sandboxLinux({ privileged: false })])(
  'a privileged container in a pod with %j is refused',
  (podLinux) => {
    const config = containerConfig({
      linux: linux({ securityContext: securityContext({ privileged: true }) }),
    });
    const input = containerInput({ config, sandbox: sandboxConfig({ linux: podLinux }) });
    expect(() => buildContainerSpec(input)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: expect.stringMatching(/not privileged/) }),
    );
  },
);

test.each([true, false])(
  "options of the machine's cgroup file system are kept without a cgroup namespace, privileged: %s",
  (privileged) => {
    const spec = buildContainerSpec(
      containerInput({
        facts: hostFacts({ cgroupOptions: ['nsdelegate'] }),
        sandbox: sandboxConfig({ linux: sandboxLinux({ privileged: true }) }),
        config: containerConfig({ linux: linux({ securityContext: securityContext({ privileged }) }) }),
      }),
    );
    const mount = spec.mounts.find(({ type }) => type === 'cgroup');
    expect(mount?.options.includes('nsdelegate')).toBe(privileged);
    expect(spec.linux.namespaces.some(({ type }) => type === 'cgroup')).toBe(!privileged);
  },
);

test('a container with no Linux section of its own gets the defaults', () => {
  const config = containerConfig({ linux: null });
  expect(buildContainerSpec(containerInput({ config }))).toEqual(buildContainerSpec(containerInput()));
});

test.each([
  ['a new UTS namespace', NEW, 'web-0', 'web-0'],
  ['a new UTS namespace and an unnamed pod', NEW, '', 'node-1'],
  ['a joined one, which has its name', pinned('uts'), 'web-0', undefined],
  ["the machine's", HOST, 'web-0', undefined],
])('the hostname in %s', (_, uts, hostname, expected) => {
  const sandbox = sandboxConfig({ hostname });
  const spec = buildContainerSpec(containerInput({ sandbox, namespaces: { ...namespaces, uts } }));
  expect(spec.hostname).toBe(expected);
  expect(spec.process.env).toContain(`HOSTNAME=${hostname || 'node-1'}`);
});

test('two builds share nothing that one of them could change in the other', () => {
  const input = containerInput();
  const before = structuredClone(buildContainerSpec(input));
  const first = buildContainerSpec(input);
  first.linux.namespaces.push({ type: 'cgroup' });
  first.linux.resources.cpu = { shares: 3 };
  first.linux.maskedPaths.pop();
  first.annotations['x'] = 'y';
  expect(buildContainerSpec(input)).toEqual(before);
});

import { expect, test } from 'vitest';
import { cgroupsPath } from './cgroups-path.ts';

test.each([
  ['cgroupfs', '/kubepods/pod1', '/kubepods/pod1/c1'],
  ['cgroupfs', 'kubepods/pod1/', '/kubepods/pod1/c1'],
  ['cgroupfs', '', '/k8s.io/c1'],
  ['systemd', 'kubepods-pod1.slice', 'kubepods-pod1.slice:cri-containerd:c1'],
  ['systemd', '/kubepods.slice/kubepods-pod1.slice', 'kubepods-pod1.slice:cri-containerd:c1'],
  ['systemd', '', 'k8s.slice:cri-containerd:c1'],
] as const)('%s under "%s": %s', (driver, parent, expected) => {
  expect(cgroupsPath({ driver, parent, id: 'c1' })).toBe(expected);
});

test('a path where systemd is the driver is refused, with the way out', () => {
  expect(() => cgroupsPath({ driver: 'systemd', parent: '/kubepods/pod1', id: 'c1' })).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      message: expect.stringMatching(/not a slice.*cgroup_driver/),
    }),
  );
});

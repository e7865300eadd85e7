import { describe, expect, test } from 'vitest';
import type { SELinuxOption__Output as SelinuxOption } from '../gen/runtime/v1/SELinuxOption.ts';
import { newId } from '../lib/id.ts';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { asksForLabels, podLevel, selinuxLabels, withSelinux } from './selinux.ts';

const CONTEXTS = {
  process: 'system_u:system_r:container_t:s0',
  file: 'system_u:object_r:container_file_t:s0',
};
const POD_ID = `0000000000401${'f'.repeat(51)}`; // 1 + 1 * 1024
const LEVEL = 's0:c1,c2';

function options(over: Partial<SelinuxOption>): SelinuxOption {
  return { user: '', role: '', type: '', level: '', ...over };
}

describe('labels', () => {
  test.each<[string, Partial<Parameters<typeof selinuxLabels>[0]>, process: string, mount: string]>([
    [
      'nothing asked',
      {},
      `system_u:system_r:container_t:${LEVEL}`,
      `system_u:object_r:container_file_t:${LEVEL}`,
    ],
    [
      "the pod's type",
      { pod: options({ type: 'spc_t' }) },
      `system_u:system_r:spc_t:${LEVEL}`,
      `system_u:object_r:container_file_t:${LEVEL}`,
    ],
    [
      "the container's over the pod's",
      { pod: options({ type: 'a_t', user: 'pod_u' }), container: options({ type: 'b_t', role: 'own_r' }) },
      `pod_u:own_r:b_t:${LEVEL}`,
      `pod_u:object_r:container_file_t:${LEVEL}`,
    ],
    [
      'a level of the pod',
      { pod: options({ level: 's0:c5,c6' }), container: options({ type: 'b_t' }) },
      'system_u:system_r:b_t:s0:c5,c6',
      'system_u:object_r:container_file_t:s0:c5,c6',
    ],
    [
      'a level of the container',
      { pod: options({ level: 's0:c5,c6' }), container: options({ level: 's0-s1:c0.c1023' }) },
      'system_u:system_r:container_t:s0-s1:c0.c1023',
      'system_u:object_r:container_file_t:s0-s1:c0.c1023',
    ],
    ['privileged', { privileged: true }, '', `system_u:object_r:container_file_t:${LEVEL}`],
  ])('%s', (_, over, process, mount) => {
    const wish = { pod: null, container: null, podId: POD_ID, privileged: false, ...over };
    expect(selinuxLabels(wish, CONTEXTS)).toEqual({ process, mount });
  });

  test.each<[Partial<SelinuxOption>, RegExp]>([
    [{ level: 's0:c1:c2' }, /level "s0:c1:c2"/],
    [{ level: 'high' }, /level "high"/],
    [{ type: 'a:b' }, /type "a:b"/],
    [{ user: 'system u' }, /user "system u"/],
    [{ role: '/' }, /role "\/"/],
  ])('%j is refused', (over, message) => {
    const wish = { pod: null, container: options(over), podId: POD_ID, privileged: false };
    expect(() => selinuxLabels(wish, CONTEXTS)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
    expect(() => selinuxLabels(wish, CONTEXTS)).toThrow(message);
  });

  test('are written where there are some', () => {
    const { process, linux } = buildSpec(EMPTY_SPEC, [withSelinux({ process: 'p', mount: 'm' })]);
    expect([process.selinuxLabel, linux.mountLabel]).toEqual(['p', 'm']);
    const unlabelled = buildSpec(EMPTY_SPEC, [withSelinux({ process: '', mount: 'm' })]);
    expect(unlabelled.process).not.toHaveProperty('selinuxLabel');
    expect(buildSpec(EMPTY_SPEC, [withSelinux(null)])).toEqual(EMPTY_SPEC);
  });
});

describe('the level of a pod', () => {
  test.each([
    ['0000000000000', 's0:c0,c1'],
    ['0000000000001', 's0:c0,c1'],
    ['0000000000400', 's0:c0,c2'],
    ['00000000003ff', 's0:c0,c1023'],
    ['fffffffffffff', /^s0:c\d+,c1023$/],
  ])('id %s: %s', (id, expected) => {
    expect(podLevel(id.padEnd(64, '0'), null, CONTEXTS)).toMatch(expected);
  });

  test('always has two categories of those that there are, the lower first, and hardly ever the same', () => {
    const levels = Array.from({ length: 2000 }, () => podLevel(newId(), null, CONTEXTS));
    for (const level of levels) {
      const [low, high] = [...level.matchAll(/c(\d+)/g)].map(([, number]) => Number(number));
      expect(low).toBeLessThan(high ?? 0);
      expect(high).toBeLessThan(1024);
    }
    expect(new Set(levels).size).toBeGreaterThan(1950);
  });

  test("keeps the policy's sensitivity", () => {
    const contexts = { ...CONTEXTS, process: 'u:r:t:s3-s5:c0.c9' };
    expect(podLevel(POD_ID, null, contexts)).toBe('s3:c1,c2');
  });
});

test.each([
  [null, false],
  [undefined, false],
  [options({}), false],
  [options({ role: 'r' }), true],
])('%j asks for labels: %s', (given, expected) => {
  expect(asksForLabels(given)).toBe(expected);
});

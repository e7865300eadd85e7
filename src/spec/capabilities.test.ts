import { describe, expect, test } from 'vitest';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { withCapabilities } from './capabilities.ts';

interface Wish {
  add?: string[];
  drop?: string[];
  ambient?: string[];
  privileged?: boolean;
  maySetResources?: boolean;
}

function capabilitiesOf({
  add = [],
  drop = [],
  ambient = [],
  privileged = false,
  maySetResources = true,
}: Wish) {
  const capabilities = { addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: ambient };
  const option = withCapabilities({ privileged, capabilities, maySetResources });
  return buildSpec(EMPTY_SPEC, [option]).process.capabilities;
}

const ALL = 41;
const DEFAULT = 14;

describe('withCapabilities', () => {
  test.each<[string, Wish, { count: number; has: string[]; lacks: string[] }]>([
    ['nothing', {}, { count: DEFAULT, has: ['CAP_CHOWN'], lacks: ['CAP_SYS_ADMIN'] }],
    ['add', { add: ['SYS_ADMIN'] }, { count: DEFAULT + 1, has: ['CAP_SYS_ADMIN'], lacks: [] }],
    [
      'add with prefix, in lower case',
      { add: ['cap_bpf'] },
      { count: DEFAULT + 1, has: ['CAP_BPF'], lacks: [] },
    ],
    ['drop', { drop: ['CHOWN'] }, { count: DEFAULT - 1, has: [], lacks: ['CAP_CHOWN'] }],
    ['drop all, add one', { drop: ['ALL'], add: ['CHOWN'] }, { count: 1, has: ['CAP_CHOWN'], lacks: [] }],
    ['add all, drop one', { add: ['all'], drop: ['BPF'] }, { count: ALL - 1, has: [], lacks: ['CAP_BPF'] }],
    ['add all, drop all', { add: ['ALL'], drop: ['ALL'] }, { count: 0, has: [], lacks: [] }],
    [
      'the same added and dropped',
      { add: ['BPF'], drop: ['BPF'] },
      { count: DEFAULT, has: [], lacks: ['CAP_BPF'] },
    ],
    ['privileged', { privileged: true }, { count: ALL, has: ['CAP_SYS_ADMIN'], lacks: [] }],
    ['privileged, drops', { privileged: true, drop: ['ALL'] }, { count: ALL, has: [], lacks: [] }],
    [
      'privileged, where one was taken from us',
      { privileged: true, maySetResources: false },
      { count: ALL - 1, has: [], lacks: ['CAP_SYS_RESOURCE'] },
    ],
  ])('%s', (_, wish, { count, has, lacks }) => {
    const { bounding, effective, permitted, inheritable, ambient } = capabilitiesOf(wish);
    expect(bounding).toHaveLength(count);
    expect(bounding).toEqual(expect.arrayContaining(has));
    for (const name of lacks) expect(bounding).not.toContain(name);
    expect([effective, permitted]).toEqual([bounding, bounding]);
    expect([inheritable, ambient]).toEqual([[], []]);
  });

  test('ambient ones are granted and inheritable too, unless they are dropped', () => {
    const made = capabilitiesOf({ drop: ['ALL', 'NET_RAW'], ambient: ['NET_ADMIN', 'NET_RAW'] });
    expect(made.bounding).toEqual(['CAP_NET_ADMIN']);
    expect(made.inheritable).toEqual(['CAP_NET_ADMIN']);
    expect(made.ambient).toEqual(['CAP_NET_ADMIN']);
  });

  test('an unknown name is refused', () => {
    expect(() => capabilitiesOf({ add: ['FLY'] })).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: 'unknown capability "FLY"' }),
    );
  });
});

import { describe, expect, test } from 'vitest';
import type { HostDevice } from '../../lib/host-facts.ts';
import { buildSpec, EMPTY_SPEC } from '../build.ts';
import type { OciSpec } from '../oci.ts';
import { readEdits } from './edits.ts';
import { withCdiEdits } from './inject.ts';

const GPU: HostDevice = { path: '/dev/gpu0', type: 'c', major: 195, minor: 7, mode: 0o660, uid: 0, gid: 44 };

function inject(
  edits: object[],
  host: Record<string, HostDevice | null> = {},
  change?: (draft: OciSpec) => void,
) {
  const read = edits.map((each, i) => readEdits(`edits[${i}]`, each));
  return buildSpec(EMPTY_SPEC, [change ?? (() => {}), withCdiEdits(read, host)]);
}

describe('device nodes', () => {
  const nodes = (
    node: object,
    host: HostDevice | null = GPU,
    user = { uid: 0, gid: 0, additionalGids: [] },
  ) =>
    inject(
      [{ deviceNodes: [{ path: '/dev/gpu0', ...node }] }],
      { '/dev/gpu0': host, '/dev/host': host },
      (draft) => {
        draft.process.user = user;
        draft.linux.devices = [{ ...GPU, path: '/dev/gpu0', major: 1, fileMode: 0 }];
        draft.linux.resources.devices = [{ allow: false, access: 'rwm' }];
      },
    ).linux;

  test.each<[string, object, HostDevice | null, object]>([
    ['as the host has it', {}, GPU, { type: 'c', major: 195, minor: 7, fileMode: 0o660, uid: 0, gid: 0 }],
    ['of another host path', { hostPath: '/dev/host' }, GPU, { path: '/dev/gpu0', major: 195 }],
    ['with a mode of its own', { fileMode: 0o600 }, GPU, { fileMode: 0o600, major: 195 }],
    ['with an owner', { uid: 5, gid: 6 }, GPU, { uid: 5, gid: 6 }],
    ['that says all itself', { type: 'b', major: 8, minor: 1 }, null, { type: 'b', major: 8, minor: 1 }],
    ['that is a FIFO', { type: 'p' }, null, { type: 'p' }],
  ])('one %s takes the place of an earlier one', (_, node, host, expected) => {
    const { devices } = nodes(node, host);
    expect(devices).toHaveLength(1);
    expect(devices[0]).toMatchObject(expected);
  });

  test('may be used as its permissions say', () => {
    expect(nodes({ permissions: 'r' }).resources.devices).toEqual([
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 195, minor: 7, access: 'r' },
    ]);
    expect(nodes({ type: 'p' }).resources.devices).toHaveLength(1);
  });

  test('belong to whom the container runs as, when nobody is named', () => {
    expect(nodes({}, GPU, { uid: 9, gid: 8, additionalGids: [] }).devices[0]).toMatchObject({
      uid: 9,
      gid: 8,
    });
  });

  test.each<[string, object, HostDevice | null, RegExp]>([
    ['is not there', {}, null, /node \/dev\/gpu0: no device is at \/dev\/gpu0/],
    ['is not there at its host path', { hostPath: '/dev/host' }, null, /no device is at \/dev\/host/],
    ['is of another type', { type: 'b' }, GPU, /is of type c, not b/],
  ])('one that %s is refused', (_, node, host, message) => {
    expect(() => nodes(node, host)).toThrow(message);
  });
});

test('environment: later ones win, and each name is there once', () => {
  const edits = [{ env: ['A=file', 'B=file'] }, { env: ['A=device'] }];
  const spec = inject(edits, {}, ({ process }) => {
    process.env = ['PATH=/bin', 'B=config'];
  });
  expect(spec.process.env).toEqual(['PATH=/bin', 'B=file', 'A=device']);
});

test('mounts take the place of those at the same path, and go below those above them', () => {
  const edits = [{ mounts: [{ hostPath: '/new', containerPath: '/lib' }] }];
  const spec = inject(edits, {}, (draft) => {
    draft.mounts = ['/a', '/lib', '/lib/deep'].map((destination) => ({
      destination,
      type: 'bind',
      source: '/old',
      options: [],
    }));
  });
  expect(spec.mounts.map(({ destination, source }) => [destination, source])).toEqual([
    ['/a', '/old'],
    ['/lib', '/new'],
    ['/lib/deep', '/old'],
  ]);
});

test('hooks, groups and an RDT class', () => {
  const spec = inject([
    { hooks: [{ hookName: 'prestart', path: '/one' }], additionalGids: [0, 5], intelRdt: { closID: 'slow' } },
    { hooks: [{ hookName: 'prestart', path: '/two' }], additionalGids: [5, 6], intelRdt: { closID: 'fast' } },
  ]);
  expect(spec.hooks).toEqual({ prestart: [{ path: '/one' }, { path: '/two' }] });
  expect(spec.process.user.additionalGids).toEqual([5, 6]);
  expect(spec.linux.intelRdt).toEqual({ closID: 'fast' });
});

test('without edits nothing is there that was not', () => {
  expect(inject([])).toEqual(EMPTY_SPEC);
});

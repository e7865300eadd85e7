import { describe, expect, test } from 'vitest';
import { readDocument } from './document.ts';

const EDITS = { env: ['A=1'] };

function document(over: object = {}, edits: object = EDITS): object {
  const devices = [{ name: 'gpu0', containerEdits: edits }];
  return { cdiVersion: '1.0.0', kind: 'vendor.com/gpu', devices, ...over };
}

const editsOf = (edits: object) => readDocument(document({}, edits)).devices[0]?.edits;

describe('a document', () => {
  test('with all that there is', () => {
    const edits = {
      env: ['A=1', 'B='],
      deviceNodes: [
        { path: '/dev/gpu0' },
        {
          path: '/dev/gpu1',
          hostPath: '/dev/x/1',
          type: 'c',
          major: 10,
          minor: 1,
          fileMode: 432,
          permissions: 'rw',
          uid: 1,
          gid: 2,
        },
      ],
      mounts: [
        { hostPath: '/lib/x', containerPath: '/usr/lib/x', options: ['ro', 'bind'] },
        { hostPath: '/lib/y', containerPath: '/usr/lib/y' },
        { hostPath: 'tmpfs', containerPath: '/scratch', type: 'tmpfs', options: ['nosuid'] },
      ],
      hooks: [
        { hookName: 'createContainer', path: '/bin/hook', args: ['hook', 'x'], env: ['C=2'], timeout: 5 },
        { hookName: 'poststop', path: '/bin/after' },
      ],
      intelRdt: { closID: 'fast', l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=50', enableCMT: true },
      additionalGids: [44],
    };
    const node = { type: null, major: 0, minor: 0, fileMode: null, permissions: 'rwm', uid: null, gid: null };
    expect(editsOf(edits)).toEqual({
      env: ['A=1', 'B='],
      deviceNodes: [{ ...node, path: '/dev/gpu0', hostPath: '/dev/gpu0' }, edits.deviceNodes[1]],
      mounts: [
        { type: 'bind', source: '/lib/x', destination: '/usr/lib/x', options: ['ro', 'bind'] },
        { type: 'bind', source: '/lib/y', destination: '/usr/lib/y', options: ['rbind'] },
        { type: 'tmpfs', source: 'tmpfs', destination: '/scratch', options: ['nosuid'] },
      ],
      hooks: [
        {
          name: 'createContainer',
          hook: { path: '/bin/hook', args: ['hook', 'x'], env: ['C=2'], timeout: 5 },
        },
        { name: 'poststop', hook: { path: '/bin/after' } },
      ],
      intelRdt: edits.intelRdt,
      additionalGids: [44],
    });
  });

  test('with edits for all of its devices', () => {
    expect(readDocument(document({ containerEdits: { env: ['ALL=1'] } })).edits.env).toEqual(['ALL=1']);
  });

  test.each<[string, object, RegExp]>([
    ['no version', document({ cdiVersion: undefined }), /cdiVersion: "" is none of/],
    ['a version that is not known', document({ cdiVersion: '2.0.0' }), /"2.0.0" is none of/],
    ['no vendor', document({ kind: 'gpu' }), /kind: "gpu"/],
    ['no devices', document({ devices: [] }), /devices: there are none/],
    [
      'a device twice',
      document({ devices: [1, 2].map(() => ({ name: 'a', containerEdits: EDITS })) }),
      /"a" is there twice/,
    ],
    ['a device without a name', document({ devices: [{ containerEdits: EDITS }] }), /devices\[0\].name/],
    ['a device that changes nothing', document({}, {}), /"gpu0" changes nothing/],
    ['an unknown field', document({ extra: 1 }), /unknown field "extra"/],
    ['network devices', document({}, { netDevices: [] }), /unknown field "netDevices"/],
    ['a list that is none', document({ devices: {} }), /devices: expected a list/],
    ['text', [] as object, /document: expected an object/],
  ])('with %s is refused', (_, value, message) => {
    expect(() => readDocument(value)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(() => readDocument(value)).toThrow(message);
  });

  test.each<[string, object, RegExp]>([
    ['env', { env: ['A'] }, /env\[0\]: "A" is not NAME=value/],
    ['env of another type', { env: [1] }, /env\[0\]: expected a string/],
    [
      'a relative node',
      { deviceNodes: [{ path: 'dev/x' }] },
      /deviceNodes\[0\].path: "dev\/x" is not an absolute/,
    ],
    ['a type of node', { deviceNodes: [{ path: '/x', type: 'x' }] }, /type: "x"/],
    ['permissions', { deviceNodes: [{ path: '/x', permissions: 'rx' }] }, /permissions: "rx"/],
    ['a number', { deviceNodes: [{ path: '/x', major: '1' }] }, /major: expected a whole number/],
    ['a negative number', { deviceNodes: [{ path: '/x', minor: -1 }] }, /minor: expected a whole number/],
    ['a mount of nothing', { mounts: [{ containerPath: '/x' }] }, /hostPath: is missing/],
    ['a relative mount', { mounts: [{ hostPath: '/x', containerPath: 'x' }] }, /containerPath: "x"/],
    ['a hook', { hooks: [{ hookName: 'before', path: '/x' }] }, /hookName: "before" is none of/],
    ['a relative hook', { hooks: [{ hookName: 'poststop', path: 'x' }] }, /path: "x"/],
    ['an RDT class', { intelRdt: { closID: '../x' } }, /closID: "..\/x"/],
    ['a flag', { intelRdt: { enableCMT: 'yes' } }, /enableCMT: expected true or false/],
  ])('with a wrong %s is refused', (_, edits, message) => {
    expect(() => editsOf(edits)).toThrow(message);
  });

  test.each<[string, string, object]>([
    ['0.4.0', 'the type of a mount', { mounts: [{ hostPath: 'tmpfs', containerPath: '/x', type: 'tmpfs' }] }],
    ['0.5.0', 'hostPath of a device node', { deviceNodes: [{ path: '/x', hostPath: '/y' }] }],
    ['0.7.0', 'intelRdt', { intelRdt: { closID: 'x' } }],
    ['0.7.0', 'additionalGids', { additionalGids: [1] }],
  ])('a field that came with %s is refused in an earlier one: %s', (since, what, edits) => {
    expect(() => readDocument(document({ cdiVersion: '0.3.0' }, edits))).toThrow(
      `${what} came with version ${since}, the file says 0.3.0`,
    );
    expect(readDocument(document({ cdiVersion: since }, edits)).kind).toBe('vendor.com/gpu');
  });

  test.each<[string, string, object]>([
    ['0.5.0', 'a device name that starts with a digit', { devices: [{ name: '0', containerEdits: EDITS }] }],
    ['0.6.0', 'annotations', { annotations: { a: 'b' } }],
    ['0.6.0', 'annotations', { devices: [{ name: 'a', annotations: { a: 'b' }, containerEdits: EDITS }] }],
    ['0.6.0', 'a dot in the class of the kind', { kind: 'vendor.com/gpu.big' }],
  ])('what came with %s is refused in an earlier one: %s', (since, what, over) => {
    expect(() => readDocument(document({ cdiVersion: '0.4.0', ...over }))).toThrow(what);
    expect(() => readDocument(document({ cdiVersion: since, ...over }))).not.toThrow();
  });
});

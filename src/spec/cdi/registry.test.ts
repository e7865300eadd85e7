import { expect, test } from 'vitest';
import type { CdiDocument } from './document.ts';
import { readDocument } from './document.ts';
import { CdiRegistry } from './registry.ts';

function document(kind: string, env: string, ...names: string[]): CdiDocument {
  return readDocument({
    cdiVersion: '0.8.0',
    kind,
    devices: names.map((name) => ({ name, containerEdits: { env: [`DEVICE=${env}-${name}`] } })),
    containerEdits: { env: [`FILE=${env}`] },
  });
}

const registry = new CdiRegistry([
  { path: '/etc/cdi/a.json', priority: 0, content: document('v/gpu', 'a', 'one', 'two', 'both') },
  { path: '/etc/cdi/b.json', priority: 0, content: document('v/gpu', 'b', 'both', 'healed') },
  { path: '/etc/cdi/c.json', priority: 0, content: document('v/gpu', 'c', 'healed') },
  { path: '/etc/cdi/d.json', priority: 0, content: { problem: 'kind: is wrong' } },
  { path: '/run/cdi/a.json', priority: 1, content: document('v/gpu', 'run', 'two', 'healed') },
  { path: '/run/cdi/net.json', priority: 1, content: document('v/net', 'net', 'one') },
]);

const envOf = (...names: string[]) => registry.resolve(names).flatMap(({ env }) => env);

test.each([
  ['one device, after the edits of its file', ['v/gpu=one'], ['FILE=a', 'DEVICE=a-one']],
  ['the later directory wins', ['v/gpu=two'], ['FILE=run', 'DEVICE=run-two']],
  ['also over a conflict', ['v/gpu=healed'], ['FILE=run', 'DEVICE=run-healed']],
  [
    'the edits of a file once',
    ['v/gpu=two', 'v/gpu=healed'],
    ['FILE=run', 'DEVICE=run-two', 'DEVICE=run-healed'],
  ],
  [
    'in the order asked for',
    ['v/net=one', 'v/gpu=one'],
    ['FILE=net', 'DEVICE=net-one', 'FILE=a', 'DEVICE=a-one'],
  ],
  ['none', [], []],
])('%s', (_, names, expected) => {
  expect(envOf(...names)).toEqual(expected);
});

test('all devices that cannot be had are named, with the reason, and so are broken files', () => {
  const call = envOf.bind(null, 'v/gpu=one', 'v/gpu=both', 'v/tpu=0');
  expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  expect(call).toThrow(
    'unresolvable CDI devices: v/gpu=both (both /etc/cdi/a.json and /etc/cdi/b.json have it), ' +
      'v/tpu=0 (no CDI file has it); files that cannot be used: /etc/cdi/d.json: kind: is wrong',
  );
});

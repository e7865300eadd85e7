import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noteContainerd, noteFile, otherContainerd } from './root-owner.ts';

const place = { namespace: 'k8s.io', address: '/run/c.sock', uuid: 'u1' };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cristal-owner-'));
});
afterEach(() => rmSync(root, { recursive: true }));

test.each<[string, Partial<typeof place>, Partial<typeof place>, boolean]>([
  ['the same', {}, {}, true],
  ['another namespace', {}, { namespace: 'moby' }, false],
  ['another containerd on the same socket', {}, { uuid: 'u2' }, false],
  ['the same on another socket', {}, { address: '/x.sock' }, true],
  ['a note without its UUID, the same socket', { uuid: '' }, {}, true],
  ['a note without its UUID, another socket', { uuid: '' }, { address: '/x.sock' }, false],
  ['one that tells no UUID, the same socket', {}, { uuid: '' }, true],
  ['one that tells no UUID, another socket', {}, { uuid: '', address: '/x.sock' }, false],
  ['a socket with spaces', { address: '/a b (c)' }, { address: '/a b (c)' }, true],
])('%s', async (_, noted, now, same) => {
  await noteContainerd(root, { ...place, ...noted });
  expect((await otherContainerd(root, { ...place, ...now })) === null).toBe(same);
});

test('a root without a note is anybody’s', async () => {
  expect(await otherContainerd(root, place)).toBeNull();
});

test('what differs is told', async () => {
  await noteContainerd(root, place);
  expect(await otherContainerd(root, { ...place, namespace: 'moby' })).toBe(
    `the last cristal on ${root} worked with namespace k8s.io of /run/c.sock (u1), and these settings lead to namespace moby of /run/c.sock (u1)`,
  );
});

test('a note that cannot be read is of another', async () => {
  writeFileSync(noteFile(root), 'torn');
  expect(await otherContainerd(root, place)).toContain('worked with torn');
});

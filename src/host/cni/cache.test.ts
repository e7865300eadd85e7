import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { CacheEntry } from './cache.ts';
import { AttachmentCache, recordedNetworks } from './cache.ts';

const network = {
  name: 'net',
  cniVersion: '1.1.0',
  disableCheck: false,
  disableGC: false,
  loadOnlyInlinedPlugins: false,
  plugins: [],
} as CacheEntry['network'];
const entry: CacheEntry = {
  version: 1,
  id: 'a1',
  netns: '/run/ns/net',
  pod: { name: 'web', namespace: 'shop', uid: 'u' },
  network,
  capabilityArgs: { ips: 'none\n' },
  result: null,
};
const result = { cniVersion: '1.1.0', ips: [{ address: '10.9.0.2/24' }] };

let dir: string;
let file: string;
/** As another process finds it. */
const found = async () => (await AttachmentCache.open(dir)).read('a1');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-cni-'));
  file = join(dir, 'a1.json');
});
afterEach(() => rmSync(dir, { recursive: true }));

test('an intent, a result, and nothing: this process and the next one see the same', async () => {
  const cache = await AttachmentCache.open(dir);
  for (const expected of [entry, { ...entry, result }]) {
    await (expected.result ? cache.complete(expected) : cache.begin(expected));
    expect(await cache.read('a1')).toEqual(expected);
    expect(await found()).toEqual(expected);
    expect(await cache.ids()).toEqual(['a1']);
    expect(await recordedNetworks(dir)).toEqual([{ id: 'a1', network }]);
  }
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await cache.remove('a1');
  await cache.remove('a1');
  expect([await cache.read('a1'), await found(), readdirSync(dir)]).toEqual([null, null, []]);
  expect(() => cache.complete({ ...entry, result })).toThrow(expect.objectContaining({ code: 'not_found' }));
  expect(readdirSync(dir)).toEqual([]);
});

test('a result that was cut off, wherever, leaves the intent', async () => {
  const cache = await AttachmentCache.open(dir);
  await cache.begin(entry);
  const intent = readFileSync(file, 'utf8');
  cache.complete({ ...entry, result });
  const whole = readFileSync(file, 'utf8');
  for (let length = intent.length; length < whole.length - 1; length++) {
    writeFileSync(file, whole.slice(0, length));
    expect(await found()).toEqual(entry);
  }
  writeFileSync(file, intent + '\0'.repeat(100));
  expect(await found()).toEqual(entry);
});

test('an intent that was cut off is data_loss', async () => {
  await (await AttachmentCache.open(dir)).begin(entry);
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 40));
  await expect(found()).rejects.toMatchObject({ code: 'data_loss' });
});

test.each([null, result])('a record of an older cristal is read: %j', async (old) => {
  writeFileSync(file, JSON.stringify({ ...entry, result: old }));
  writeFileSync(`${file}.1234.tmp`, '{"ver');
  expect(await found()).toEqual({ ...entry, result: old });
  expect(readdirSync(dir)).toEqual(['a1.json']);
});

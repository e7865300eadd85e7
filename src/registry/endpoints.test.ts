import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endpointsFor } from './endpoints.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-endpoints-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(host: string, name: string, text: string): string {
  mkdirSync(join(dir, host), { recursive: true });
  writeFileSync(join(dir, host, name), text);
  return join(dir, host, name);
}
const urls = async (host: string) => (await endpointsFor(dir, host)).map(({ url }) => url);

test('the most special hosts.toml counts, and a change of it at once', async () => {
  expect(await urls('reg.test:5000')).toEqual(['https://reg.test:5000/v2']);
  put('_default', 'hosts.toml', 'server = "https://all.test"');
  expect(await urls('reg.test:5000')).toEqual(['https://all.test/v2']);
  put('reg.test:5000', 'hosts.toml', 'server = "https://one.test"');
  expect(await urls('reg.test:5000')).toEqual(['https://one.test/v2']);
  expect(await urls('other.test')).toEqual(['https://all.test/v2']);
});

test('certificates without a hosts.toml are for the registry itself, with one they are as it says', async () => {
  const ca = put('reg.test', 'own.crt', '');
  expect(await endpointsFor(dir, 'reg.test')).toMatchObject([{ url: 'https://reg.test/v2', ca: [ca] }]);
  put('reg.test', 'hosts.toml', '');
  expect(await endpointsFor(dir, 'reg.test')).toMatchObject([{ ca: [] }]);
});

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { readConfigDir } from './config-dir.ts';

let dir = '';

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cristal-cni-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

const good = (name: string) => JSON.stringify({ name, cniVersion: '1.0.0', plugins: [{ type: 'bridge' }] });

test('takes the first valid file and says which ones it passed over', async () => {
  await writeFile(join(dir, '00-broken.conflist'), '{');
  await mkdir(join(dir, '01-directory.conf'));
  await writeFile(join(dir, '10-first.conflist'), good('first'));
  await writeFile(join(dir, '20-second.conflist'), good('second'));
  const state = await readConfigDir(dir);
  expect(state).toMatchObject({
    network: { name: 'first' },
    file: join(dir, '10-first.conflist'),
    problem: '',
  });
  expect(state.passedOver).toEqual([expect.stringContaining('00-broken.conflist: is not JSON')]);
});

test('names the directory and each file when none is valid', async () => {
  await writeFile(join(dir, 'a.conflist'), JSON.stringify({ name: 'a', plugins: [] }));
  await writeFile(join(dir, 'b.conf'), '');
  await symlink('/nowhere', join(dir, 'c.conf'));
  const { network, problem } = await readConfigDir(dir);
  expect(network).toBeNull();
  expect(problem).toMatch(
    new RegExp(`no valid file in ${dir}: a.conflist: has no plugins; b.conf: is empty; c.conf: ENOENT`),
  );
});

test('tells an absent directory from an empty one', async () => {
  expect((await readConfigDir(join(dir, 'none'))).problem).toBe(`no CNI network: ${dir}/none does not exist`);
  expect((await readConfigDir(dir)).problem).toBe(
    `no CNI network: ${dir} has no .conflist, .conf or .json file`,
  );
});

test('adds plugins from the directory of the network, unless it is told not to', async () => {
  await mkdir(join(dir, 'net'));
  await writeFile(join(dir, 'net', '10-tuning.conf'), '{"type":"tuning"}');
  await writeFile(join(dir, 'a.conflist'), good('net'));
  const types = async () => (await readConfigDir(dir)).network?.plugins.map(({ type }) => type);
  expect(await types()).toEqual(['bridge', 'tuning']);

  await writeFile(
    join(dir, 'a.conflist'),
    JSON.stringify({ ...JSON.parse(good('net')), loadOnlyInlinedPlugins: true }),
  );
  expect(await types()).toEqual(['bridge']);

  await writeFile(join(dir, 'a.conflist'), JSON.stringify({ name: 'net', cniVersion: '1.1.0' }));
  expect(await types()).toEqual(['tuning']);

  await writeFile(join(dir, 'net', '10-tuning.conf'), '{}');
  expect((await readConfigDir(dir)).problem).toContain(
    `a.conflist: ${dir}/net/10-tuning.conf: 'type' is missing`,
  );
});

import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ConfigWatch } from './watch.ts';

let base = '';

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'cristal-cni-'));
});

afterEach(() => rm(base, { recursive: true, force: true }));

async function start(dir: string): Promise<ConfigWatch> {
  return ConfigWatch.start({ dir, log: pino({ enabled: false }), onChange: () => {} });
}

function write(dir: string, file: string, name: string): Promise<void> {
  return writeFile(
    join(dir, file),
    JSON.stringify({ name, cniVersion: '1.0.0', plugins: [{ type: 'bridge' }] }),
  );
}

/** Far below the poll, so that only an event of the kernel can bring it about. */
function becomes(watch: ConfigWatch, name: string | null): Promise<void> {
  return vi.waitFor(() => expect(watch.state.network?.name ?? null).toBe(name), {
    timeout: 5000,
    interval: 20,
  });
}

test('follows files that come, change and go', async () => {
  await using watch = await start(base);
  expect(watch.state.problem).toContain(`${base} has no .conflist`);
  await write(base, '20-b.conflist', 'b');
  await becomes(watch, 'b');
  await write(base, '10-a.conflist', 'a');
  await becomes(watch, 'a');
  await write(base, '10-a.conflist', 'c');
  await becomes(watch, 'c');
  await rm(join(base, '10-a.conflist'));
  await becomes(watch, 'b');
  await writeFile(join(base, '20-b.conflist'), '{');
  await becomes(watch, null);
  expect(watch.state.problem).toContain('20-b.conflist: is not JSON');
});

test('waits for a directory of which not even the parent exists', async () => {
  const dir = join(base, 'cni', 'net.d');
  await using watch = await start(dir);
  expect(watch.state.problem).toBe(`no CNI network: ${dir} does not exist`);
  await mkdir(dir, { recursive: true });
  await write(dir, 'a.conflist', 'a');
  await becomes(watch, 'a');
});

test('follows a directory that is removed and made anew', async () => {
  const dir = join(base, 'net.d');
  await mkdir(dir);
  await write(dir, 'a.conflist', 'a');
  await using watch = await start(dir);
  await becomes(watch, 'a');
  await rm(dir, { recursive: true });
  await becomes(watch, null);
  expect(watch.state.problem).toBe(`no CNI network: ${dir} does not exist`);
  await mkdir(dir);
  await write(dir, 'b.conflist', 'b');
  await becomes(watch, 'b');
});

test('follows a directory that is swapped for another, and its files after it', async () => {
  const dir = join(base, 'net.d');
  await mkdir(dir);
  await write(dir, 'a.conflist', 'a');
  await using watch = await start(dir);
  await mkdir(join(base, 'next'));
  await write(join(base, 'next'), 'b.conflist', 'b');
  await rename(dir, join(base, 'old'));
  await rename(join(base, 'next'), dir);
  await becomes(watch, 'b');
  await write(dir, 'a.conflist', 'c');
  await becomes(watch, 'c');
});

test('survives a file in the place of the directory', async () => {
  const dir = join(base, 'net.d');
  await writeFile(dir, '');
  await using watch = await start(dir);
  expect(watch.state.problem).toContain(`cannot read ${dir}`);
  await rm(dir);
  await mkdir(dir);
  await write(dir, 'a.conflist', 'a');
  await becomes(watch, 'a');
});

test('a refresh sees what was written before it', async () => {
  await using watch = await start(base);
  await write(base, 'a.conflist', 'a');
  expect((await watch.refresh()).network?.name).toBe('a');
});

test('tells of a change once', async () => {
  const seen: (string | undefined)[] = [];
  const log = pino({ enabled: false });
  await using watch = await ConfigWatch.start({
    dir: base,
    log,
    onChange: (s) => seen.push(s.network?.name),
  });
  await write(base, 'a.conflist', 'a');
  await Promise.all([watch.refresh(), watch.refresh()]);
  await watch.refresh();
  expect(seen).toEqual([undefined, 'a']);
});

import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Child, endingFrom } from './child.ts';

test.each([
  [0, { code: 0, signal: null }],
  [0x300, { code: 3, signal: null }],
  [9, { code: null, signal: 'SIGKILL' }],
  [0x80 | 11, { code: null, signal: 'SIGSEGV' }],
  [50, { code: null, signal: 'SIG50' }],
])('wait status %i', (status, ending) => {
  expect(endingFrom(status)).toEqual(ending);
});

const none = openSync('/dev/null', 'r+');
afterAll(() => closeSync(none));
const start = (script: string, stdout = none) =>
  Child.start('/bin/sh', {
    args: ['-c', script],
    env: { PATH: '/bin:/usr/bin' },
    stdio: [none, stdout, none],
  });

test('more at once than the pool of threads takes are all reaped', async () => {
  const children = await Promise.all(Array.from({ length: 300 }, (_, code) => start(`exit ${code % 100}`)));

  const endings = await Promise.all(children.map(({ ended }) => ended));

  expect(endings.map(({ code }) => code)).toEqual(children.map((_, code) => code % 100));
  for (const { pid } of children) expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test('while one is started the event loop goes on', async () => {
  const order: string[] = [];
  const starting = start('exit 0').then((child) => {
    order.push('started');
    return child.ended;
  });
  order.push('called');
  await starting;
  expect(order).toEqual(['called', 'started']);
});

test('one that cannot be started leaves nothing', async () => {
  const starting = Child.start('/no/such', { args: [], env: {}, stdio: [none, none, none] });
  await expect(starting).rejects.toMatchObject({ code: 'ENOENT' });
});

test('it gets its own session, the root directory, and no signal that we ignore', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cristal-child-'));
  const file = openSync(join(dir, 'out'), 'w');
  const child = await start('cat /proc/self/stat /proc/self/status; pwd', file);
  await child.ended;
  closeSync(file);
  const said = readFileSync(join(dir, 'out'), 'utf8');
  rmSync(dir, { recursive: true });

  const [, , , session] = /^\d+ \(.*?\) (\S) (\d+) (\d+) (\d+)/.exec(said)?.slice(1) ?? [];
  expect(session).toBe(String(child.pid));
  expect(said).toMatch(/^SigIgn:\t0+$/m);
  expect(said).toMatch(/^SigBlk:\t0+$/m);
  expect(said.trimEnd().split('\n').at(-1)).toBe('/');
});

test('killed, its whole group ends', async () => {
  const child = await start('sleep 60 & sleep 60');
  expect(child.ending).toBeNull();
  child.kill();
  expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
  expect(child.ending).toEqual({ code: null, signal: 'SIGKILL' });
  expect(() => child.kill()).not.toThrow();
});

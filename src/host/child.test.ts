import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
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

test('many at once are all reaped, and leave no descriptor', async () => {
  const before = readdirSync('/proc/self/fd').length;
  const children = Array.from({ length: 40 }, (_, code) => new Child('/bin/sh', ['-c', `exit ${code}`], {}));

  const endings = await Promise.all(children.map(({ ended }) => ended));

  expect(endings.map(({ code }) => code)).toEqual(children.map((_, code) => code));
  for (const { stdin, stdout, stderr } of children) for (const end of [stdin, stdout, stderr]) end.destroy();
  await expect.poll(() => readdirSync('/proc/self/fd').length).toBe(before);
});

test('one that cannot be started leaves no descriptor', () => {
  const before = readdirSync('/proc/self/fd').length;

  expect(() => new Child('/no/such', [], {})).toThrow(expect.objectContaining({ code: 'ENOENT' }));

  expect(readdirSync('/proc/self/fd').length).toBe(before);
});

test('it gets its own session, the root directory, and no signal that we ignore', async () => {
  const child = new Child('/bin/sh', ['-c', 'cat /proc/self/stat /proc/self/status; pwd'], {
    PATH: '/bin:/usr/bin',
  });
  child.stdin.end();
  const said = (await child.stdout.toArray()).join('');
  await child.ended;

  const [, , , session] = /^\d+ \(.*?\) (\S) (\d+) (\d+) (\d+)/.exec(said)?.slice(1) ?? [];
  expect(session).toBe(String(child.pid));
  expect(said).toMatch(/^SigIgn:\t0+$/m);
  expect(said).toMatch(/^SigBlk:\t0+$/m);
  expect(said.trimEnd().split('\n').at(-1)).toBe('/');
});

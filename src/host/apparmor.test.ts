import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Apparmor, ownApparmorProfile } from './apparmor.ts';

// A directory in place of the kernel's, and a program that does what the parser would.
let dir: string;
let apparmor: Apparmor;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-apparmor-'));
  apparmor = new Apparmor({ fs: dir, parser: join(dir, 'parser'), includes: join(dir, 'includes') });
  writeFileSync(join(dir, 'profiles'), 'docker-default (enforce)\n/usr/bin/man (complain)\na b (kill)\n');
  parser(`sleep 0.1; echo "$@" >> ${dir}/runs; cat > ${dir}/input; echo "ours (enforce)" >> ${dir}/profiles`);
});

afterEach(() => rmSync(dir, { recursive: true }));

function parser(script: string): void {
  writeFileSync(join(dir, 'parser'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, 'parser'), 0o755);
}

test.each([
  ['docker-default', true],
  ['/usr/bin/man', true],
  ['a b', true],
  ['docker', false],
  ['docker-default (enforce)', false],
  ['', false],
])('profile %j is loaded: %s', async (name, expected) => {
  expect(await apparmor.isLoaded(name)).toBe(expected);
});

test('no list is an empty one', async () => {
  rmSync(join(dir, 'profiles'));
  expect(await apparmor.isLoaded('docker-default')).toBe(false);
});

test('what is missing is given to the parser, once however many ask', async () => {
  let made = 0;
  const ensure = async () => await apparmor.ensure('ours', async () => `profile ours {} # ${++made}\n`);
  await Promise.all([ensure(), ensure(), ensure()]);
  await ensure();
  expect(readFileSync(join(dir, 'runs'), 'utf8')).toBe('-Kr\n');
  expect(readFileSync(join(dir, 'input'), 'utf8')).toBe('profile ours {} # 1\n');

  writeFileSync(join(dir, 'profiles'), '');
  await ensure();
  expect(made).toBe(2);
});

test('what is there is left alone', async () => {
  await apparmor.ensure('docker-default', async () => '');
  expect(existsSync(join(dir, 'runs'))).toBe(false);
});

test("a failure has the parser's words, and the next call tries again", async () => {
  const fine = readFileSync(join(dir, 'parser'), 'utf8');
  parser('echo "syntax error in line 1" >&2; exit 3');
  await expect(apparmor.ensure('ours', async () => '')).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(/^load AppArmor profile ours: .*ended with 3: syntax error in line 1$/),
  });
  writeFileSync(join(dir, 'parser'), fine);
  await apparmor.ensure('ours', async () => '');
  expect(await apparmor.isLoaded('ours')).toBe(true);
});

test('finds what profiles may include', async () => {
  mkdirSync(join(dir, 'includes/tunables'), { recursive: true });
  writeFileSync(join(dir, 'includes/tunables/global'), '');
  expect(await apparmor.includes()).toEqual({ abi: false, tunables: true, base: false });
});

test('this process runs under some profile', async () => {
  expect(await ownApparmorProfile()).toMatch(/^\S+$/);
});

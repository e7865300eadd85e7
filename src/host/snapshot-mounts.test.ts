import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';

import { unmountTree } from './mounts.ts';
import { directoryInRoot } from './path-in-root.ts';
import { mountReadOnly } from './snapshot-mounts.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
const root = realpathSync(mkdtempSync(join(tmpdir(), 'cristal-snap-')));
const target = join(root, 'target');
mkdirSync(target);
afterEach(() => unmountTree(root));
afterAll(() => rmSync(root, { recursive: true }));

const overlay = (...options: string[]) => ({ type: 'overlay', source: 'overlay', options });

/** A directory with a file of its name in it. */
function layer(name: string): string {
  const dir = join(root, name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, name.slice(0, 20)), name);
  return dir;
}

asRoot('a snapshot of any kind is whole, and nobody can write to it', async () => {
  const [one, two, upper, work] = ['one', 'two', 'upper', 'work'].map(layer) as [
    string,
    string,
    string,
    string,
  ];
  for (const [mount, files] of [
    [{ type: 'bind', source: one, options: ['rbind', 'rw'] }, ['one']],
    [overlay(`lowerdir=${one}`), ['one']],
    [overlay('index=off', `lowerdir=${one}:${two}`), ['one', 'two']],
    [overlay(`workdir=${work}`, `upperdir=${upper}`, `lowerdir=${two}:${one}`), ['one', 'two', 'upper']],
  ] as const) {
    mountReadOnly([{ ...mount, options: [...mount.options] }], target);
    expect(['one', 'two', 'upper'].filter((name) => existsSync(join(target, name)))).toEqual(files);
    expect(() => writeFileSync(join(target, 'new'), '')).toThrow(/EROFS/);
    await unmountTree(target);
  }
});

asRoot('more layers than fit into a page of options', () => {
  const lowers = Array.from({ length: 60 }, (_, n) => layer(`${n}-${'x'.repeat(100)}`));
  expect(lowers.join(':').length).toBeGreaterThan(4096);
  mountReadOnly([{ type: 'overlay', source: 'overlay', options: [`lowerdir=${lowers.join(':')}`] }], target);
  expect(readFileSync(join(target, `0-${'x'.repeat(18)}`), 'utf8')).toMatch(/^0-x/);
  expect(readFileSync(join(target, `59-${'x'.repeat(17)}`), 'utf8')).toMatch(/^59-x/);
});

asRoot('what cannot be mounted is refused with its type', () => {
  const one = { type: 'no-such-fs', source: 'none', options: [] };
  expect(() => mountReadOnly([one], target)).toThrow(/mount a snapshot of type no-such-fs: ENODEV/);
  expect(() => mountReadOnly([one, one], target)).toThrow(expect.objectContaining({ code: 'unimplemented' }));
});

test('a path is looked for below its root only', () => {
  const dir = layer('inside');
  mkdirSync(join(dir, 'a/b'), { recursive: true });
  symlinkSync('/a', join(dir, 'absolute'));
  symlinkSync('../../../../../../etc', join(dir, 'up'));
  expect(directoryInRoot(dir, 'a/b')).toBe(join(dir, 'a/b'));
  expect(directoryInRoot(dir, '/absolute/b')).toBe(join(dir, 'a/b'));
  expect(directoryInRoot(dir, '')).toBe(dir);
  expect(directoryInRoot(dir, '../../a')).toBe(join(dir, 'a'));
  expect(directoryInRoot(dir, 'up')).toBeNull();
  expect(directoryInRoot(dir, 'inside/below')).toBeNull();
  expect(() => directoryInRoot(dir, 'inside')).toThrow(/inside is not a directory/);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { readConfig } from './read.ts';
import { defaultConfig } from './schema.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-config-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

function fileWith(text: string): string {
  const path = join(dir, 'config.toml');
  writeFileSync(path, text);
  return path;
}

test('flags outrank the file, which outranks the defaults', () => {
  const config = fileWith('root = "/file-root"\nstate = "/file-state"\n[cni]\ntimeout_ms = 5000\n');
  const read = readConfig({
    config,
    root: '/flag-root',
    containerd: 'unix:///flag.sock',
    namespace: 'other',
    'log-level': 'debug',
    'cni-conf-dir': '/flag-conf',
    'cni-bin-dir': ['/one', '/two'],
    listen: '/flag-listen.sock',
  });

  const defaults = defaultConfig();
  expect(read.config).toEqual({
    ...defaults,
    listen: '/flag-listen.sock',
    root: '/flag-root',
    state: '/file-state',
    logLevel: 'debug',
    containerd: { ...defaults.containerd, address: '/flag.sock', namespace: 'other' },
    cni: { confDir: '/flag-conf', binDirs: ['/one', '/two'], timeoutMs: 5000, confTemplate: '' },
  });
  expect(read.sources).toEqual({
    file: config,
    flags: [
      '--listen',
      '--containerd',
      '--namespace',
      '--root',
      '--log-level',
      '--cni-conf-dir',
      '--cni-bin-dir',
    ],
  });
});

test('a named file must be there', () => {
  expect(() => readConfig({ config: join(dir, 'absent') })).toThrow(/absent: no such file$/);
});

test('a file that cannot be read is named', () => {
  expect(() => readConfig({ config: dir })).toThrow(`read ${dir}: EISDIR`);
});

test('problems of the file carry its name', () => {
  const config = fileWith('\nroot = 1\nstate = 2\n');
  expect(() => readConfig({ config })).toThrow(
    `${config}:2:1: root: expected an absolute path, found the number 1\n${config}:3:1: state:`,
  );
});

it.each([
  [{ root: 'relative' }, '--root: expected an absolute path, found "relative"'],
  [{ 'log-level': 'loud' }, '--log-level: expected one of'],
  [
    { 'cni-bin-dir': ['/a', 'b'] },
    '--cni-bin-dir: expected a list of one or more absolute paths, found ["/a","b"]',
  ],
])('the flags %j are refused', (flags, message) => {
  expect(() => readConfig({ config: fileWith(''), ...flags })).toThrow(message);
});

test('refused flags are told together', () => {
  const given = { config: fileWith(''), root: 'a', state: 'b' };
  expect(() => readConfig(given)).toThrow(/--root: .*\n--state: /);
});

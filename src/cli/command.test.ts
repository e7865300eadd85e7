import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { flags } from '../config/flags.ts';
import { parseConfig } from '../config/parse.ts';
import { defaultConfig } from '../config/schema.ts';
import { parseCommand } from './command.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-cli-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

function fileWith(text: string): string {
  const path = join(dir, 'config.toml');
  writeFileSync(path, text);
  return path;
}

test('no command is the daemon', () => {
  const file = fileWith('log_level = "warn"');
  expect(parseCommand(['--config', file, '--root=/r'])).toEqual({
    kind: 'daemon',
    config: { ...defaultConfig(), logLevel: 'warn', root: '/r' },
    sources: { file, flags: ['--root'] },
  });
});

test('images import takes an archive and settings', () => {
  const argv = ['images', 'import', 'a.tar', '--config', fileWith(''), '--namespace', 'x'];
  const config = defaultConfig();
  config.containerd.namespace = 'x';
  expect(parseCommand(argv)).toEqual({ kind: 'import', path: 'a.tar', config });
});

test.each([
  [['pull', 'busybox'], { kind: 'pull', reference: 'busybox', platform: null, login: null }],
  [
    ['pull', 'x', '--platform', 'linux/arm64', '--creds', 'u:p:w'],
    {
      kind: 'pull',
      reference: 'x',
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      login: { username: 'u', password: 'p:w' },
    },
  ],
  [
    ['pull', 'x', '--creds=u'],
    { kind: 'pull', reference: 'x', platform: null, login: { username: 'u', password: null } },
  ],
  [['pull', 'x', '--creds-stdin'], { kind: 'pull', reference: 'x', platform: null, login: 'stdin' }],
  [['import', '-'], { kind: 'import', path: '-' }],
  [['export', 'a:1', 'b:2', 'out.tar'], { kind: 'export', references: ['a:1', 'b:2'], path: 'out.tar' }],
  [['ls'], { kind: 'list' }],
])('images %j', (words, expected) => {
  const argv = ['images', ...words, '--config', fileWith('')];
  expect(parseCommand(argv)).toEqual({ ...expected, config: defaultConfig() });
});

test('config default prints what config check accepts', () => {
  const printed = parseCommand(['config', 'default']);
  if (printed.kind !== 'print') throw new Error(`a ${printed.kind} command`);
  expect(printed.exitCode).toBe(0);
  expect(parseConfig(printed.text).config).toEqual(defaultConfig());

  const file = fileWith(printed.text);
  expect(parseCommand(['config', 'check', file])).toEqual({
    kind: 'print',
    text: `${file}: ok\n`,
    exitCode: 0,
  });
});

test('config check names the place of every problem', () => {
  const file = fileWith('root = 1\n[cni]\n conf = "/a"\n');
  expect(parseCommand(['config', 'check', file])).toEqual({
    kind: 'print',
    text:
      `${file}:1:1: root: expected an absolute path, found the number 1\n` +
      `${file}:3:2: unknown key cni.conf; known here: conf_dir, bin_dirs, timeout_ms, conf_template\n`,
    exitCode: 1,
  });
});

describe.each([
  [['config', 'check'], 2, 'cristal: config check takes one FILE; see cristal --help\n'],
  [['config', 'check', 'a', 'b'], 2, 'config check takes one FILE'],
  [['config', 'check', '/nonexistent/c.toml'], 1, '/nonexistent/c.toml: no such file\n'],
  [['config', 'default', 'x'], 2, 'config default takes no argument'],
  [['config'], 2, 'no such command: config;'],
  [['images', 'import'], 2, 'images import takes one FILE'],
  [['images', 'export', 'x'], 2, 'images export takes one REFERENCE or more, and a FILE'],
  [['images', 'pull'], 2, 'images pull takes one REFERENCE'],
  [['images', 'pull', 'a', '--platform', 'arm64'], 2, '--platform: "arm64" is not OS/ARCH'],
  [['images', 'pull', 'a', '--creds', ':p'], 2, '--creds has no user name'],
  [['images', 'pull', 'a', '--creds', 'u', '--creds-stdin'], 2, 'exclude each other'],
  [['images', 'import', 'a', '--creds', 'u'], 2, '--creds is for images pull alone'],
  [['--platform', 'linux/arm64'], 2, '--platform is for images pull alone'],
  [['images', 'pull', 'a', 'b'], 2, 'images pull takes one REFERENCE'],
  [['images', 'ls', 'a'], 2, 'images ls takes no argument'],
  [['images', 'burn', 'x'], 2, 'no such command: images burn x;'],
  [['images'], 2, 'no such command: images;'],
  [['daemon'], 2, 'no such command: daemon;'],
  [['--lissen', '/a'], 2, "Unknown option '--lissen'"],
  [['--root'], 2, '--root'],
  [['--help=yes'], 2, '--help'],
  [['--config', '/nonexistent/c.toml'], 1, '/nonexistent/c.toml: no such file\n'],
])('cristal %j', (argv, exitCode, text) => {
  it(`exits ${exitCode} and says what is wrong on one line`, () => {
    const command = parseCommand(argv);
    expect(command).toMatchObject({ kind: 'print', exitCode });
    if (command.kind !== 'print') return;
    expect(command.text).toContain(text);
    expect(command.text.trimEnd()).not.toContain('\n');
  });
});

test('a wrong setting stops the daemon before it starts', () => {
  const file = fileWith('');
  expect(parseCommand(['--config', file, '--state', 'here'])).toEqual({
    kind: 'print',
    text: '--state: expected an absolute path, found "here"\n',
    exitCode: 1,
  });
});

test.each([['--help'], ['-h'], ['config', 'check', '--help']])('%s prints the page', (...argv) => {
  const command = parseCommand(argv);
  expect(command).toMatchObject({ kind: 'print', exitCode: 0 });
  const text = command.kind === 'print' ? command.text : '';
  for (const { name } of flags) expect(text).toContain(`  --${name} `);
  expect(text).toContain('images import FILE');
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
});

test('--version prints both versions', () => {
  expect(parseCommand(['--version'])).toEqual({
    kind: 'print',
    text: `cristal 0.1.0 (node ${process.versions.node})\n`,
    exitCode: 0,
  });
});

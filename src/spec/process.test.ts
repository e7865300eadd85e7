import { describe, expect, test } from 'vitest';
import { imageConfig } from './fixtures.ts';
import { processArgs, processCwd, processEnv } from './process.ts';

describe('processArgs', () => {
  test.each<[string, string[], string[], string[]]>([
    ['nothing: the image decides', [], [], ['/entry', 'serve']],
    ['args: the entrypoint stays', [], ['-v'], ['/entry', '-v']],
    ["command: the image's cmd goes too", ['/own'], [], ['/own']],
    ['both: nothing of the image', ['/own'], ['-v'], ['/own', '-v']],
  ])('the config says %s', (_, command, args, expected) => {
    expect(processArgs({ command, args }, imageConfig())).toEqual(expected);
  });

  test('an image with only a cmd runs it', () => {
    expect(processArgs({ command: [], args: [] }, imageConfig({ entrypoint: [] }))).toEqual(['serve']);
  });

  test('nothing to run is refused', () => {
    const image = imageConfig({ entrypoint: [], cmd: [] });
    expect(() => processArgs({ command: [], args: [] }, image)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });
});

function variable(key: string, value: string) {
  return [{ key, value: Buffer.from(value) }];
}

describe('processEnv', () => {
  const none = { image: [], config: [], hostname: '', home: '', tty: false };
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

  test.each([
    ['a path where none is given', none, [path]],
    ["the image's path", { ...none, image: ['PATH=/bin'] }, ['PATH=/bin']],
    ['a terminal for a tty', { ...none, image: ['PATH=/bin'], tty: true }, ['PATH=/bin', 'TERM=xterm']],
    ["the image's terminal", { ...none, image: ['TERM=vt100'], tty: true }, [path, 'TERM=vt100']],
    ['the home', { ...none, home: '/root' }, [path, 'HOME=/root']],
    ["the config's home", { ...none, home: '/root', config: variable('HOME', '/h') }, [path, 'HOME=/h']],
    [
      "the pod's name over the image's",
      { ...none, image: ['HOSTNAME=a'], hostname: 'b' },
      [path, 'HOSTNAME=b'],
    ],
    [
      "the config's over the pod's",
      { ...none, hostname: 'b', config: variable('HOSTNAME', 'c') },
      [path, 'HOSTNAME=c'],
    ],
    ['a value with = and non-ASCII', { ...none, config: variable('A', 'x=ü') }, [path, 'A=x=ü']],
    ['an empty value', { ...none, image: ['A=1'], config: variable('A', '') }, [path, 'A=']],
  ])('has %s', (_, environment, expected) => {
    expect(processEnv(environment)).toEqual(expected);
  });

  test('the last of equal keys in the config wins', () => {
    const env = processEnv({ ...none, config: [...variable('A', '1'), ...variable('A', '2')] });
    expect(env.filter((entry) => entry.startsWith('A='))).toEqual(['A=2']);
  });
});

test.each([
  ['/own', '/app', '/own'],
  ['', '/app', '/app'],
  ['', '', '/'],
  ['relative/dir', '', '/relative/dir'],
])('the directory of config "%s" and image "%s" is %s', (config, image, expected) => {
  expect(processCwd(config, image)).toBe(expected);
});

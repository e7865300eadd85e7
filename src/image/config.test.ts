import { expect, test } from 'vitest';
import { imageUser, parseImageFile } from './config.ts';

const diffId = `sha256:${'c'.repeat(64)}`;
const parse = (value: unknown) => parseImageFile(Buffer.from(JSON.stringify(value)));
const nothing = {
  env: [],
  entrypoint: [],
  cmd: [],
  workingDir: '',
  user: '',
  stopSignal: '',
  volumes: [],
  labels: {},
};

test('all fields', () => {
  const config = {
    Env: ['A=1'],
    Entrypoint: ['/e'],
    Cmd: ['c', 'd'],
    WorkingDir: '/w',
    User: 'app:staff',
    StopSignal: 'SIGQUIT',
    Volumes: { '/data': {} },
    Labels: { a: 'b' },
  };
  const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
  expect(parse({ config, rootfs: { type: 'layers', diff_ids: [diffId] }, ...platform })).toEqual({
    diffIds: [diffId],
    platform,
    config: {
      env: ['A=1'],
      entrypoint: ['/e'],
      cmd: ['c', 'd'],
      workingDir: '/w',
      user: 'app:staff',
      stopSignal: 'SIGQUIT',
      volumes: ['/data'],
      labels: { a: 'b' },
    },
  });
});

test.each([
  [{}],
  [{ config: null, rootfs: null }],
  [{ config: { Env: null, Volumes: null }, rootfs: { diff_ids: null } }],
])('%j is an empty config', (value) => {
  expect(parse(value)).toEqual({
    diffIds: [],
    config: nothing,
    platform: { os: '', architecture: '', variant: '' },
  });
});

test.each([
  ['no json', Buffer.from('<html>')],
  ['a list', Buffer.from('[]')],
  ['a bad diff id', Buffer.from('{"rootfs":{"diff_ids":["../x"]}}')],
])('%s is refused', (_, data) => {
  expect(() => parseImageFile(data)).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
});

test.each([
  ['', null, ''],
  ['0', 0, ''],
  ['1000:50', 1000, ''],
  ['app', null, 'app'],
  ['app:staff', null, 'app'],
])('user %j', (user, uid, username) => {
  expect(imageUser(user)).toEqual({ uid, username });
});

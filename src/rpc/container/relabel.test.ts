import { expect, test } from 'vitest';
import { containerConfig, criMount } from '../../spec/fixtures.ts';
import { relabelled } from './relabel.ts';

const files = { hostname: '/p/hostname', hosts: '/p/hosts', resolvConf: '/p/resolv.conf', shm: '/p/shm' };

test('the files of the sandbox are labelled, and the mounts that ask for it, by their real paths', () => {
  const mounts = [
    criMount({ hostPath: '/link', selinuxRelabel: true }),
    criMount({ hostPath: '/same', containerPath: '/b', selinuxRelabel: true }),
    criMount({ hostPath: '/same', containerPath: '/c', selinuxRelabel: true }),
    criMount({ hostPath: '/other' }),
    criMount({ hostPath: '', selinuxRelabel: true }),
  ];
  const config = containerConfig({ mounts });
  const volumes = { declared: [{ path: '/data', source: '/volume' }] };
  expect(relabelled({ config, files, mountSources: { '/link': '/real' }, volumes })).toEqual([
    '/p/hostname',
    '/p/hosts',
    '/p/resolv.conf',
    '/p/shm',
    '/volume',
    '/real',
    '/same',
  ]);
});

test("the machine's own shared memory is left alone", () => {
  const paths = relabelled({
    config: containerConfig(),
    files: { ...files, shm: '/dev/shm' },
    mountSources: {},
    volumes: { declared: [] },
  });
  expect(paths).not.toContain('/dev/shm');
});

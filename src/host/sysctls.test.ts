import { expect, test } from 'vitest';

import { planDefaults, planSysctls } from './sysctls.ts';

const all = { network: true, ipc: true, uts: true };

test.each([
  ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward'],
  ['net/ipv4/ip_forward', '/proc/sys/net/ipv4/ip_forward'],
  ['net.ipv4.conf.eth0/100.rp_filter', '/proc/sys/net/ipv4/conf/eth0.100/rp_filter'],
  ['net/ipv4/conf/eth0.100/rp_filter', '/proc/sys/net/ipv4/conf/eth0.100/rp_filter'],
  ['kernel.shm_rmid_forced', '/proc/sys/kernel/shm_rmid_forced'],
  ['fs.mqueue.msg_max', '/proc/sys/fs/mqueue/msg_max'],
  ['kernel.domainname', '/proc/sys/kernel/domainname'],
])('%s is written to %s', (key, path) => {
  expect(planSysctls({ [key]: '1' }, all)).toEqual([{ key, path, value: '1', optional: false }]);
});

test.each([
  ['vm.max_map_count', all, 'is not namespaced'],
  ['kernel.hostname', all, 'is not namespaced'],
  ['net.ipv4.ip_forward', { ...all, network: false }, 'needs its own network namespace'],
  ['kernel/msgmax', { ...all, ipc: false }, 'needs its own ipc namespace'],
  ['net/../kernel/hostname', all, 'is not a valid name'],
  ['net./../vm', all, 'is not a valid name'],
  ['net..ipv4', all, 'is not a valid name'],
  ['net', all, 'is not a valid name'],
])('%s is refused', (key, own, reason) => {
  expect(() => planSysctls({ [key]: '1' }, own)).toThrow(
    expect.objectContaining({ code: 'invalid_argument', message: `sysctl ${key} ${reason}` }),
  );
});

const DEFAULTS = { 'net.ipv4.ping_group_range': '0 1', 'kernel.shmall': '2' };

test.each([
  ['all, where nothing is asked', all, {}, ['net.ipv4.ping_group_range', 'kernel.shmall']],
  ["none of a namespace that is the host's", { ...all, network: false }, {}, ['kernel.shmall']],
  [
    'not what the pod sets itself, however spelled',
    all,
    { 'net/ipv4/ping_group_range': '3 4' },
    ['kernel.shmall'],
  ],
])('defaults: %s', (_, own, asked, expected) => {
  const planned = planDefaults(DEFAULTS, own, planSysctls(asked, all));
  expect(planned.map(({ key }) => key)).toEqual(expected);
  expect(planned.every(({ optional }) => optional)).toBe(true);
});

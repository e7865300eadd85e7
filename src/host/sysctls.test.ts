import { expect, test } from 'vitest';

import { planSysctls } from './sysctls.ts';

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
  expect(planSysctls({ [key]: '1' }, all)).toEqual([{ key, path, value: '1' }]);
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

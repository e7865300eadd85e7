import { expect, test } from 'vitest';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../gen/runtime/v1/PodSandboxConfig.ts';
import { defaultSysctls } from './sysctls.ts';

const PORTS = 'net.ipv4.ip_unprivileged_port_start';
const PING = 'net.ipv4.ping_group_range';

test.each<[ports: boolean, ping: boolean, userns: 'NODE' | 'POD', string[]]>([
  [true, true, 'NODE', [PORTS, PING]],
  [true, true, 'POD', [PORTS]],
  [false, true, 'NODE', [PING]],
  [true, false, 'NODE', [PORTS]],
  [false, false, 'NODE', []],
])(
  'ports %s, ping %s, user namespace %s: %j',
  (enableUnprivilegedPorts, enableUnprivilegedIcmp, mode, expected) => {
    const namespaceOptions = { usernsOptions: { mode } };
    const config = { linux: { securityContext: { namespaceOptions } } } as PodSandboxConfig;
    const sysctls = defaultSysctls(config, { enableUnprivilegedPorts, enableUnprivilegedIcmp });
    expect(Object.keys(sysctls)).toEqual(expected);
  },
);

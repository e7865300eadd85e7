import { expect, test } from 'vitest';
import type { NamedRuntime } from '../config/runtimes.ts';
import { defaultRuntimeHandler } from '../config/schema.ts';
import { api } from '../containerd/proto.ts';
import { runtimeOptions } from './runtime-options.ts';

function told(over: Partial<NamedRuntime>) {
  const any = runtimeOptions({ ...defaultRuntimeHandler(), name: 'x', ...over }, 'cgroupfs');
  if (!any) return null;
  const type = any.typeUrl as 'containerd.runc.v1.Options' | 'runtimeoptions.v1.Options';
  return { type, ...api[type].deserialize(Buffer.from(any.value)) };
}

test('the shim of runc is told the settings of the handler and its options', () => {
  const options = { NoPivotRoot: true, IoUid: 7, CriuWorkPath: '/w' };
  expect(told({ binary: '/opt/crun', root: '/run/crun', systemdCgroup: true, options })).toMatchObject({
    type: 'containerd.runc.v1.Options',
    binaryName: '/opt/crun',
    root: '/run/crun',
    systemdCgroup: true,
    noPivotRoot: true,
    ioUid: 7,
    criuWorkPath: '/w',
  });
});

test.each<[string, Record<string, unknown>, object | null]>([
  ['nothing', {}, null],
  ['its file', { ConfigPath: '/etc/kata.toml' }, { configPath: '/etc/kata.toml', configBody: '' }],
  [
    'its type and the whole table as TOML',
    { TypeUrl: 'io.containerd.runsc.v1.options', level: 3, flags: { debug: 'true' } },
    {
      typeUrl: 'io.containerd.runsc.v1.options',
      configBody: 'TypeUrl = "io.containerd.runsc.v1.options"\nlevel = 3\n\n[flags]\ndebug = "true"\n',
    },
  ],
])('a shim of another kind is told %s', (_, options, expected) => {
  const found = told({ type: 'io.containerd.kata.v2', options });
  if (expected === null || found === null) return expect(found).toBe(expected);
  const { configBody, ...rest } = found as { configBody?: Buffer };
  expect({ ...rest, configBody: String(configBody) }).toMatchObject({
    type: 'runtimeoptions.v1.Options',
    ...expected,
  });
});

import { expect, test } from 'vitest';
import { runtimeNamed } from './runtimes.ts';
import { defaultRuntimeHandler } from './schema.ts';

const config = {
  defaultRuntime: 'runc',
  runtimes: {
    runc: defaultRuntimeHandler(),
    vm: { ...defaultRuntimeHandler(), type: 'io.containerd.kata.v2', sandbox: 'pause' as const },
  },
};

test('no name is the default one', () => {
  expect(runtimeNamed(config, '')).toMatchObject({ name: 'runc', type: 'io.containerd.runc.v2' });
});

test('a handler is found by its name', () => {
  expect(runtimeNamed(config, 'vm')).toMatchObject({ name: 'vm', sandbox: 'pause' });
});

test.each(['gvisor', 'constructor', '__proto__'])(
  '%s is refused, and the answer lists what there is',
  (name) => {
    expect(() => runtimeNamed(config, name)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: `no runtime handler "${name}" is configured; there is: runc, vm`,
      }) as Error,
    );
  },
);

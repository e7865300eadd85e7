import { expect, test } from 'vitest';
import { buildContainerSpec } from './container.ts';
import { buildExecProcess } from './exec.ts';
import { containerConfig, containerInput } from './fixtures.ts';

test('an exec is as its container, but for its words', () => {
  const spec = buildContainerSpec(
    containerInput({ user: { uid: 7, gid: 8, additionalGids: [8], home: '/h' }, config: containerConfig() }),
  );
  spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }];
  expect(buildExecProcess(spec.process, ['ls', '/'], false)).toEqual({ ...spec.process, args: ['ls', '/'] });
});

test.each<[string, containerTty: boolean, execTty: boolean, env: string[], added: string[]]>([
  ['a terminal where the container has none', false, true, [], ['TERM=xterm']],
  ['a terminal as the container has', true, true, ['TERM=xterm'], []],
  ['no terminal where the container has one', true, false, ['TERM=xterm'], []],
])('%s', (_, containerTty, execTty, had, added) => {
  const spec = buildContainerSpec(containerInput({ config: containerConfig({ tty: containerTty }) }));
  const before = structuredClone(spec);
  const made = buildExecProcess(spec.process, ['sh'], execTty);
  expect(made.terminal).toBe(execTty);
  expect(spec.process.env).toEqual(expect.arrayContaining(had));
  expect(made.env).toEqual([...spec.process.env, ...added]);
  expect(spec).toEqual(before);
});

test('an exec of nothing is refused', () => {
  const spec = buildContainerSpec(containerInput());
  expect(() => buildExecProcess(spec.process, [], false)).toThrow(
    expect.objectContaining({ code: 'invalid_argument' }),
  );
});

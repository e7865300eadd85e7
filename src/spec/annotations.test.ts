import { expect, test } from 'vitest';
import { passed } from './annotations.ts';
import { buildContainerSpec } from './container.ts';
import { containerConfig, containerInput, pauseInput, sandboxConfig } from './fixtures.ts';
import { buildPauseSpec } from './pause.ts';

test.each<[pattern: string, key: string, passes: boolean]>([
  ['vendor.com/gpu', 'vendor.com/gpu', true],
  ['vendor.com/gpu', 'vendor.com/gpus', false],
  ['vendor.com/gpu', 'vendorxcom/gpu', false],
  ['io.katacontainers.*', 'io.katacontainers.config', true],
  ['io.katacontainers.*', 'io.katacontainers.config/x', false],
  ['*.com/*', 'vendor.com/gpu', true],
  ['*', 'plain', true],
  ['*', 'vendor.com/gpu', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['a[b]', 'a[b]', true],
  ['a[b]', 'ab', false],
])('pattern %s lets %s through: %s', (pattern, key, passes) => {
  expect(passed({ [key]: 'v' }, ['other', pattern])).toEqual(passes ? { [key]: 'v' } : {});
});

const sandbox = sandboxConfig({
  annotations: { 'p/in': '1', 'p/out': '2', 'io.kubernetes.cri.sandbox-id': 'x' },
});

test('the runtime is told those of pod and container that the handler lets through, and never in place of ours', () => {
  const config = containerConfig({ annotations: { 'c/in': '3', 'c/out': '4', 'p/in': '5' } });
  const { handler } = containerInput();
  const rules = {
    ...handler,
    podAnnotations: ['p/in', '*/sandbox-id', 'io.kubernetes.*'],
    containerAnnotations: ['c/in'],
  };
  const { annotations } = buildContainerSpec(containerInput({ sandbox, config, handler: rules }));
  expect(annotations).toMatchObject({ 'p/in': '1', 'c/in': '3', 'io.kubernetes.cri.sandbox-id': 'p1' });
  expect(Object.keys(annotations).filter((key) => key.endsWith('/out'))).toEqual([]);
});

test('a pause container is told those of its pod', () => {
  const input = pauseInput({ config: sandbox, podAnnotations: ['p/in'] });
  const { annotations } = buildPauseSpec(input);
  expect(annotations).toMatchObject({ 'p/in': '1' });
  expect(annotations).not.toHaveProperty('p/out');
});

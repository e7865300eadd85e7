import { expect, test } from 'vitest';
import { podLevel } from '../../spec/selinux.ts';
import { sandbox } from '../fixtures.ts';
import { freshId } from './fresh-id.ts';

const CONTEXTS = { process: 'u:r:container_t:s0', file: 'u:object_r:container_file_t:s0' };
const { config } = sandbox();

test('no two of two thousand pods have one level', () => {
  const pods: { id: string; config: typeof config }[] = [];
  for (let i = 0; i < 2000; i++) pods.push({ id: freshId(config, pods.slice(-300), CONTEXTS), config });
  for (let i = 0; i < 2000; i += 300) {
    const levels = pods.slice(i, i + 300).map(({ id }) => podLevel(id, null, CONTEXTS));
    expect(new Set(levels).size).toBe(levels.length);
  }
});

test('without SELinux any id will do', () => {
  expect(freshId(config, [], null)).toMatch(/^[0-9a-f]{64}$/);
});

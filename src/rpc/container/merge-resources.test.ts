import { expect, test } from 'vitest';
import { criResources } from '../../spec/fixtures.ts';
import { mergeResources } from './merge-resources.ts';

const before = criResources({
  cpuShares: '512',
  memoryLimitInBytes: '1000',
  cpusetCpus: '0-1',
  hugepageLimits: [{ pageSize: '2MB', limit: '1' }],
  unified: { 'memory.high': '1' },
});

test('what the change sets is taken, what it leaves unset stays', () => {
  const change = criResources({
    memoryLimitInBytes: '2000',
    cpuQuota: '-1',
    unified: { 'memory.high': '2' },
  });
  expect(mergeResources(before, change)).toEqual({
    ...before,
    memoryLimitInBytes: '2000',
    cpuQuota: '-1',
    unified: { 'memory.high': '2' },
  });
});

test('a change that sets nothing changes nothing', () => {
  expect(mergeResources(before, criResources())).toEqual(before);
});

test('a container without resources has those of the change', () => {
  expect(mergeResources(null, before)).toEqual(before);
});

test.each([
  ['that it had', { ...before, oomScoreAdj: '-5' }, '-5'],
  ['of nobody who asked', null, '0'],
])('the OOM score is the one %s', (_, had, expected) => {
  expect(mergeResources(had, criResources({ oomScoreAdj: '700' })).oomScoreAdj).toBe(expected);
});

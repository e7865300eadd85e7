import { describe, expect, test } from 'vitest';
import { buildSpec, EMPTY_SPEC } from './build.ts';
import { criResources, hostFacts as hostFactsOf } from './fixtures.ts';
import type { OciResources, OciSpec } from './oci.ts';
import { applyResources, ociResources, withOomScoreAdj } from './resources.ts';

const hostFacts = (over: Parameters<typeof hostFactsOf>[0] = {}, tolerateMissingHugetlb = true) => ({
  ...hostFactsOf(over),
  tolerateMissingHugetlb,
});

type Cri = Parameters<typeof criResources>[0];

describe('ociResources', () => {
  test.each<[string, Cri, OciResources]>([
    ['nothing set writes nothing', {}, {}],
    ['shares', { cpuShares: '2' }, { cpu: { shares: 2 } }],
    ['quota and period', { cpuQuota: '5000', cpuPeriod: '10000' }, { cpu: { quota: 5000, period: 10000 } }],
    ['no quota, said so', { cpuQuota: '-1' }, { cpu: { quota: -1 } }],
    ['cpusets', { cpusetCpus: '0-1', cpusetMems: '0' }, { cpu: { cpus: '0-1', mems: '0' } }],
    ['memory, and so no swap', { memoryLimitInBytes: '4096' }, { memory: { limit: 4096, swap: 4096 } }],
    [
      'memory and swap',
      { memoryLimitInBytes: '4096', memorySwapLimitInBytes: '8192' },
      { memory: { limit: 4096, swap: 8192 } },
    ],
    ['swap without a limit', { memorySwapLimitInBytes: '-1' }, { memory: { swap: -1 } }],
    [
      'huge pages of known sizes, zero being a limit',
      {
        hugepageLimits: [
          { pageSize: '2MB', limit: '0' },
          { pageSize: '1GB', limit: '5' },
        ],
      },
      { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
    ],
    ['unified', { unified: { 'memory.high': '1' } }, { unified: { 'memory.high': '1' } }],
    ['the OOM score is not a cgroup matter', { oomScoreAdj: '5' }, {}],
  ])('%s', (_, cri, expected) => {
    expect(ociResources(criResources(cri), hostFacts())).toEqual(expected);
  });

  test('without swap accounting no swap limit is written', () => {
    const cri = criResources({ memoryLimitInBytes: '4096', memorySwapLimitInBytes: '8192' });
    expect(ociResources(cri, hostFacts({ swap: false }))).toEqual({ memory: { limit: 4096 } });
  });

  test.each([
    ['a limit', '5', /huge pages of 1GB: this machine cannot limit them/],
    ['none', '0', null],
  ])(
    'huge pages that cannot be limited, asked for with %s, where they are not tolerated',
    (_, limit, message) => {
      const cri = criResources({ hugepageLimits: [{ pageSize: '1GB', limit }] });
      const call = () => ociResources(cri, hostFacts({}, false));
      if (message === null) expect(call()).toEqual({});
      else expect(call).toThrow(message);
    },
  );

  test('no resources at all', () => {
    expect(ociResources(null, hostFacts())).toEqual({});
  });

  test('cgroup v2 files on a v1 machine are refused', () => {
    const cri = criResources({ unified: { 'memory.high': '1' } });
    expect(() => ociResources(cri, hostFacts({ cgroup: 'v1' }))).toThrow(
      expect.objectContaining({ code: 'failed_precondition' }),
    );
  });
});

function specWith(resources: OciResources): OciSpec {
  const spec = structuredClone(EMPTY_SPEC);
  spec.linux.resources = structuredClone(resources);
  return spec;
}

describe('applyResources', () => {
  const old: OciResources = {
    devices: [{ allow: false, access: 'rwm' }],
    cpu: { shares: 512, quota: 1000, period: 2000 },
    memory: { limit: 100, swap: 100 },
    hugepageLimits: [{ pageSize: '2MB', limit: 4 }],
    unified: { a: '1', b: '2' },
  };

  test.each<[string, Cri, Partial<OciResources>]>([
    ['nothing', {}, {}],
    ['one CPU value', { cpuShares: '2' }, { cpu: { shares: 2, quota: 1000, period: 2000 } }],
    ['memory, which takes swap along', { memoryLimitInBytes: '200' }, { memory: { limit: 200, swap: 200 } }],
    ['one unified file', { unified: { b: '3' } }, { unified: { a: '1', b: '3' } }],
    [
      'a huge page limit',
      { hugepageLimits: [{ pageSize: '2MB', limit: '8' }] },
      { hugepageLimits: [{ pageSize: '2MB', limit: 8 }] },
    ],
  ])('%s', (_, cri, change) => {
    const spec = specWith(old);
    const next = applyResources(spec, criResources(cri), hostFacts());
    expect(next.linux.resources).toEqual({ ...old, ...change });
    expect(spec.linux.resources).toEqual(old);
  });

  test('a swap limit that was set apart stays when only memory changes', () => {
    const spec = specWith({ memory: { limit: 100, swap: 500 } });
    const next = applyResources(spec, criResources({ memoryLimitInBytes: '200' }), hostFacts());
    expect(next.linux.resources.memory).toEqual({ limit: 200, swap: 500 });
  });
});

test.each([
  ['as asked', -900, { mayLowerOomScore: true, oomScoreAdj: 0 }, -900],
  ['not below our own', -900, { mayLowerOomScore: false, oomScoreAdj: -10 }, -10],
  ['above our own', 900, { mayLowerOomScore: false, oomScoreAdj: 100 }, 900],
  ['zero, so that none is inherited', 0, { mayLowerOomScore: true, oomScoreAdj: -999 }, 0],
])('the OOM score is %s', (_, wanted, facts, expected) => {
  expect(buildSpec(EMPTY_SPEC, [withOomScoreAdj(wanted, facts)]).process.oomScoreAdj).toBe(expected);
});

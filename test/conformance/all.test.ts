import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerdVersions, whyNotCritest } from '../fixtures/tools.ts';
import type { Critest, Spec } from './critest.ts';
import { createCritest } from './critest.ts';

/** Specs that cannot pass on this machine, whoever serves the CRI; docs/conformance.md has the reasons. */
const CANNOT_PASS = [
  'Security Context bucket runtime should support MaskedPaths',
  'public image with digest',
];

/** What the kernel may lack. A machine that has it runs them. */
const MAY_BE_SKIPPED = ['AppArmor', 'SELinux'];

/** Fewer would mean that critest left out what it should ask. */
const SPECS = 117;

describe.each(containerdVersions)('critest, all of it, against containerd %s', (version) => {
  describe.skipIf(whyNotCritest(version) !== null)('', () => {
    let critest: Critest;
    let specs: Spec[];
    beforeAll(async () => {
      critest = await createCritest(version);
      specs = await critest.run('.');
    }, 900_000);
    afterAll(async () => await critest?.[Symbol.asyncDispose]());

    test('no spec fails that can pass here', () => {
      const failed = specs.filter(({ state }) => !['passed', 'skipped'].includes(state));
      expect(failed.filter(({ name }) => !isOneOf(CANNOT_PASS, name))).toEqual([]);
    });

    test('none is skipped but for what the kernel lacks', () => {
      const skipped = specs.filter(({ state }) => state === 'skipped');
      expect(skipped.filter(({ name }) => !isOneOf(MAY_BE_SKIPPED, name))).toEqual([]);
      expect(specs).toHaveLength(SPECS);
    });

    test('nothing is left', async () => {
      expect(await critest.left()).toEqual([]);
    });
  });
});

function isOneOf(known: readonly string[], name: string): boolean {
  return known.some((part) => name.includes(part));
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerdVersions, whyNotCritest } from '../fixtures/tools.ts';
import type { Critest } from './critest.ts';
import { createCritest } from './critest.ts';

/** Exec without and with a terminal, attach, and port-forward to a pod and to the host's network. */
const SPECS = 5;

for (const version of containerdVersions) {
  const reason = whyNotCritest(version);
  if (reason !== null) process.stdout.write(`SKIPPED, conformance over containerd ${version}: ${reason}\n`);
}

describe.each(containerdVersions)('critest against containerd %s', (version) => {
  describe.skipIf(whyNotCritest(version) !== null)('the Streaming specs', () => {
    let critest: Critest;
    beforeAll(async () => {
      critest = await createCritest(version);
    });
    afterAll(async () => await critest?.[Symbol.asyncDispose]());

    test.each([
      ['SPDY', []],
      ['WebSocket', ['-websocket-exec', '-websocket-attach', '-websocket-portforward']],
    ])('pass over %s', { timeout: 180_000 }, async (_, flags) => {
      const specs = await critest.run('Streaming', ...flags);
      expect(specs.filter(({ state }) => state !== 'passed')).toEqual([]);
      expect(specs).toHaveLength(SPECS);
    });

    test('nothing is left', async () => {
      expect(await critest.left()).toEqual([]);
    });
  });
});

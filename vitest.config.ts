import { defineConfig } from 'vitest/config';
import { tools } from './test/fixtures/tools.ts';

/** How long `expect.poll` asks: on a busy machine a second is nothing. */
const expectation = { poll: { timeout: 15_000 } };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts'],
          testTimeout: 30_000,
          expect: expectation,
          // The one unit test that wants real plugins is skipped without them.
          env: { CRISTAL_CNI_BIN: tools.cni ?? '' },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          globalSetup: ['test/fixtures/global-setup.ts'],
          setupFiles: ['test/fixtures/show-logs.ts'],
          // One containerd, one bridge and one cgroup tree: files run one after the other.
          fileParallelism: false,
          // Real daemons on a machine that others share: what fails is tried once more in CI, and the log says so.
          retry: process.env['CI'] === 'true' ? 1 : 0,
          testTimeout: 60_000,
          expect: expectation,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});

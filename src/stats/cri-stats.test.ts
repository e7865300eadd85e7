import { expect, test } from 'vitest';
import type { InterfaceCounters } from '../host/net-dev.ts';
import { container, sandbox } from '../rpc/fixtures.ts';
import { toContainerStats, toPodSandboxStats } from './cri-stats.ts';
import { fullReading } from './fixtures.ts';

const { usage } = fullReading();
const figures = { reading: null, network: null, threads: 0, containers: [] };

test('a limit that is exceeded leaves nothing available', () => {
  const over = fullReading({
    usage: {
      ...usage,
      memory: usage.memory && { ...usage.memory, workingSet: 10, limit: 9 },
      swap: { usage: 3, limit: 2 },
    },
  });
  const stats = toContainerStats(container(), over, null);
  expect(stats.memory?.availableBytes).toEqual({ value: 0 });
  expect(stats.swap?.swapAvailableBytes).toEqual({ value: 0 });
  expect(stats.writableLayer).toBeNull();
});

test('what has no limit has nothing to tell of what is available, and what is not known is absent', () => {
  const reading = fullReading({
    nanoCores: null,
    usage: {
      cpu: { usageNs: 7n, pressure: null },
      memory: usage.memory && { ...usage.memory, limit: null, pressure: null },
      swap: { usage: 3, limit: null },
      ioPressure: null,
    },
  });
  const { cpu, memory, swap, io } = toContainerStats(container(), reading, null);
  expect([memory?.availableBytes, swap?.swapAvailableBytes]).toEqual([null, null]);
  expect([cpu?.usageNanoCores, cpu?.psi, memory?.psi, io]).toEqual([null, null, null, null]);
  const bare = fullReading({ usage: { cpu: null, memory: null, swap: null, ioPressure: null } });
  expect(toContainerStats(container(), bare, null)).toMatchObject({
    cpu: null,
    memory: null,
    swap: null,
    io: null,
  });
});

test('pressure is told by share and by time', () => {
  const { io } = toContainerStats(container(), fullReading(), null);
  const line = { Avg10: 99.99, Avg60: 99.99, Avg300: 99.99, Total: (2n ** 62n).toString() };
  expect(io?.psi).toEqual({ Some: line, Full: line });
});

test.each([
  [['net1', 'eth0', 'net2'], 'eth0', ['net1', 'net2']],
  [['ens3', 'net1'], 'ens3', ['net1']],
  [[], undefined, []],
])('of interfaces %s the default is %s', (names, main, others) => {
  const counters = { bytes: 1, packets: 2, errors: 3, dropped: 4 };
  const interfaces = names.map((name): InterfaceCounters => ({ name, rx: counters, tx: counters }));
  const { linux } = toPodSandboxStats(sandbox(), { ...figures, network: { at: 5n, interfaces } });
  expect(linux?.network?.timestamp).toBe('5');
  expect(linux?.network?.defaultInterface?.name).toBe(main);
  expect(linux?.network?.interfaces?.map(({ name }) => name)).toEqual(others);
});

import { expect, test } from 'vitest';

import { createBench } from './testing/bench.ts';

const READY = { ready: true, reason: '', message: '' };

test('before 1.1.0 the network is ready when its plugins are there, without asking them', async () => {
  await using bench = await createBench();
  await bench.plugin('first', 'exit 1');
  await bench.conflist(['first', 'second'], { cniVersion: '1.0.0' });
  await using network = await bench.network();
  expect(await network.status()).toEqual({
    ready: false,
    reason: 'NetworkPluginNotReady',
    message: `CNI network net (${bench.confDir}/10-net.conflist): no executable second in ${bench.binDir}`,
  });
  await bench.plugin('second', 'exit 1');
  expect(await network.status()).toEqual(READY);
  expect(await bench.calls()).toEqual([]);
});

test('STATUS is asked of each plugin once, however many ask', async () => {
  await using bench = await createBench();
  await bench.plugin('first', 'true');
  await bench.plugin('second', 'true');
  await bench.conflist(['first', 'second']);
  await using network = await bench.network();
  expect(await Promise.all([network.status(), network.status()])).toEqual([READY, READY]);
  expect(await network.status()).toEqual(READY);
  expect((await bench.calls()).map(({ type, verb }) => [type, verb])).toEqual([
    ['first', 'STATUS'],
    ['second', 'STATUS'],
  ]);
});

test('a plugin that is not ready says why', async () => {
  await using bench = await createBench();
  await bench.plugin('first', `echo '{"code":50,"msg":"no route to the controller"}'; exit 1`);
  await bench.conflist(['first']);
  await using network = await bench.network();
  expect(await network.status()).toEqual({
    ready: false,
    reason: 'NetworkPluginNotReady',
    message: 'CNI STATUS of network net: plugin first: no route to the controller (CNI code 50)',
  });
});

test('a plugin that hangs holds up neither the answer nor the end', async () => {
  await using bench = await createBench();
  await bench.plugin('first', 'sleep 600');
  await bench.conflist(['first']);
  await using network = await bench.network(60_000);
  expect(await network.status()).toMatchObject({
    ready: false,
    message: 'CNI network net: no answer to STATUS yet',
  });
});

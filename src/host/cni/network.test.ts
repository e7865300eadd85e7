import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { Fault } from '../../lib/fault.ts';
import { answering, attachRequest, createBench } from './testing/bench.ts';

test('ADD goes through the chain with prevResult, DEL back with the result of ADD', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.plugin('second', answering('10.9.0.3/24'));
  await bench.conflist(['first', 'second']);
  await using network = await bench.network();

  const attachment = await network.attach(attachRequest('a1'));
  const result = { cniVersion: '1.1.0', ips: [{ address: '10.9.0.3/24' }] };
  expect(attachment).toEqual({ network: 'net', ips: ['10.9.0.3'], result });
  expect(await network.attachment('a1')).toEqual(attachment);
  expect(await network.attachments()).toEqual(['a1']);
  await network.check('a1', '/proc/self/ns/net');
  await network.detach('a1', '/proc/self/ns/net');
  expect(await readdir(bench.cacheDir)).toEqual([]);

  const prevResult = { cniVersion: '1.1.0', ips: [{ address: '10.9.0.2/24' }] };
  const calls = await bench.calls();
  expect(calls.map(({ verb, type, stdin }) => [verb, type, stdin.prevResult])).toEqual([
    ['ADD', 'first', undefined],
    ['ADD', 'second', prevResult],
    ['CHECK', 'first', result],
    ['CHECK', 'second', result],
    ['DEL', 'second', result],
    ['DEL', 'first', result],
  ]);
  expect(calls[0]?.stdin).toEqual({ type: 'first', name: 'net', cniVersion: '1.1.0' });
  expect(calls[0]?.env).toEqual({
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'a1',
    CNI_NETNS: '/proc/self/ns/net',
    CNI_IFNAME: 'eth0',
    CNI_PATH: bench.binDir,
    CNI_ARGS:
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=a1;K8S_POD_UID=u-1',
  });
});

test('a version before 0.4.0 has neither CHECK nor a prevResult for DEL', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.conflist(['first'], { cniVersion: '0.3.1' });
  await using network = await bench.network();
  await network.attach(attachRequest('a1'));
  await network.check('a1', '/proc/self/ns/net');
  await network.detach('a1', null);
  const calls = await bench.calls();
  expect(calls.map(({ verb, stdin }) => [verb, stdin.prevResult])).toEqual([
    ['ADD', undefined],
    ['DEL', undefined],
  ]);
});

test('only what a plugin asks for is in its runtimeConfig, for DEL as for ADD', async () => {
  await using bench = await createBench();
  await bench.plugin('deaf', answering('10.9.0.2/24'));
  await bench.plugin('ports', answering('10.9.0.2/24'));
  const plugins = [{ type: 'deaf' }, { type: 'ports', capabilities: { portMappings: true } }];
  await bench.conflist([], { plugins });
  await using network = await bench.network();
  const port = { protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '' } as const;
  await network.attach(attachRequest('a1', { portMappings: [port], cgroupParent: '/pods' }));
  await network.detach('a1', null);
  const told = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
  const calls = await bench.calls();
  expect(calls.map(({ type, stdin }) => [type, stdin.runtimeConfig])).toEqual([
    ['deaf', undefined],
    ['ports', told],
    ['ports', told],
    ['deaf', undefined],
  ]);
});

test('a failed ADD leaves a record, and DEL without a result clears it', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.plugin('second', `[ "$CNI_COMMAND" = DEL ] || { echo '{"code":7,"msg":"full"}'; exit 1; }`);
  await bench.conflist(['first', 'second']);
  await using network = await bench.network();
  await expect(network.attach(attachRequest('a1'))).rejects.toMatchObject({
    code: 'unavailable',
    message: 'CNI ADD of network net: plugin second: full (CNI code 7)',
  });
  expect(await network.attachments()).toEqual(['a1']);
  expect(await network.attachment('a1')).toBeNull();
  await expect(network.check('a1', '')).rejects.toMatchObject({ code: 'failed_precondition' });

  await network.detach('a1', '/no/such/namespace');
  expect(await network.attachments()).toEqual([]);
  const deletes = (await bench.calls()).filter(({ verb }) => verb === 'DEL');
  expect(deletes.map(({ type, stdin, env }) => [type, stdin.prevResult, env.CNI_NETNS])).toEqual([
    ['second', undefined, ''],
    ['first', undefined, ''],
  ]);
});

test('a namespace path that is only a file left over counts as gone', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.conflist(['first']);
  await using network = await bench.network();
  await network.attach(attachRequest('a1'));
  await writeFile(join(bench.dir, 'net'), '');
  await network.detach('a1', join(bench.dir, 'net'));
  expect((await bench.calls()).at(-1)).toMatchObject({ verb: 'DEL', env: { CNI_NETNS: '' } });
});

test('a failed DEL keeps the record until a later one succeeds', async () => {
  await using bench = await createBench();
  await bench.plugin('first', `${answering('10.9.0.2/24')}; [ "$CNI_COMMAND" != DEL ]`);
  await bench.conflist(['first']);
  await using network = await bench.network();
  await network.attach(attachRequest('a1'));
  await expect(network.detach('a1', null)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await network.attachment('a1')).toMatchObject({ ips: ['10.9.0.2'] });

  await bench.plugin('first', 'true');
  await network.detach('a1', null);
  expect(await network.attachments()).toEqual([]);
  const before = (await bench.calls()).length;
  await network.detach('a1', null);
  expect(await bench.calls()).toHaveLength(before);
});

test('another daemon detaches by the record after the configuration has gone', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.conflist(['first']);
  await (await bench.network()).attach(attachRequest('a1'));
  await rm(bench.confDir, { recursive: true });

  await using network = await bench.network();
  expect(await network.attachment('a1')).toMatchObject({ network: 'net', ips: ['10.9.0.2'] });
  await network.detach('a1', null);
  expect((await bench.calls()).at(-1)).toMatchObject({ verb: 'DEL', type: 'first', stdin: { name: 'net' } });
  await expect(network.attach(attachRequest('a2'))).rejects.toMatchObject({
    code: 'unavailable',
    message: `no CNI network: ${bench.confDir} does not exist`,
  });
  expect(await network.attachments()).toEqual([]);
});

test('while the namespace is being made only the intent is written', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.conflist(['first']);
  await using network = await bench.network();
  const pinned = Promise.withResolvers<void>();
  const attaching = network.attach(attachRequest('a1'), undefined, pinned.promise);
  await expect.poll(() => network.attachment('a1').then(() => network.attachments())).toEqual(['a1']);
  expect(await bench.calls()).toEqual([]);
  pinned.resolve();
  expect(await attaching).toMatchObject({ ips: ['10.9.0.2'] });
});

test('a namespace that could not be made is told, and nothing is owed', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.conflist(['first']);
  await using network = await bench.network();
  const none = new Fault('resource_exhausted', 'no more namespaces');
  await expect(network.attach(attachRequest('a1'), undefined, Promise.reject(none))).rejects.toThrow(
    'no more namespaces',
  );
  // Nor is its failure left unhandled where it is not come to.
  const elsewhere = attachRequest('a2', { confDir: '/elsewhere' });
  await expect(network.attach(elsewhere, undefined, Promise.reject(none))).rejects.toThrow(/not watched/);
  expect(await network.attachments()).toEqual([]);
  expect(await bench.calls()).toEqual([]);
});

test('a broken record is detached by the present network', async () => {
  await using bench = await createBench();
  await bench.plugin('first', 'true');
  await bench.conflist(['first']);
  await using network = await bench.network();
  await writeFile(join(bench.cacheDir, 'a1.json'), '{"version":1,');
  await expect(network.attachment('a1')).rejects.toMatchObject({ code: 'data_loss' });
  await network.detach('a1', null);
  expect(await bench.calls()).toMatchObject([{ verb: 'DEL', env: { CNI_CONTAINERID: 'a1', CNI_NETNS: '' } }]);
  expect(await network.attachments()).toEqual([]);
});

test.each(['', '{"version":1,'])(
  'where there is no network, a record that was cut off is forgotten: %j',
  async (text) => {
    await using bench = await createBench();
    await using network = await bench.network();
    await writeFile(join(bench.cacheDir, 'a1.json'), text);
    await network.detach('a1', null);
    expect(await network.attachments()).toEqual([]);
    // One that was whole has an end, and is not given up.
    await writeFile(join(bench.cacheDir, 'a2.json'), '{"version":7}\n');
    await expect(network.detach('a2', null)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await network.attachments()).toEqual(['a2']);
  },
);

test.each([
  ['garbage', 'echo garbage', 'plugin first: the result is not JSON'],
  ['nothing', 'true', 'plugin first: the result is not JSON'],
  ['a result without address', `echo '{"cniVersion":"1.0.0"}'`, 'no plugin gave the pod an IP address'],
])('a plugin that answers %s is named', async (_case, script, message) => {
  await using bench = await createBench();
  await bench.plugin('first', script);
  await bench.conflist(['first']);
  await using network = await bench.network();
  await expect(network.attach(attachRequest('a1'))).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining(message),
  });
});

test('refuses an id that would leave the record directory', async () => {
  await using bench = await createBench();
  await bench.plugin('first', answering('10.9.0.2/24'));
  await bench.conflist(['first']);
  await using network = await bench.network();
  await expect(network.attach(attachRequest('../a1'))).rejects.toMatchObject({ code: 'invalid_argument' });
  expect(await bench.calls()).toEqual([]);
});

test('pods attach side by side', async () => {
  await using bench = await createBench();
  // Each waits until the other has begun: one after the other they would never end.
  const meet = `echo > ${bench.dir}/began-$CNI_CONTAINERID
    until [ -e ${bench.dir}/began-a1 ] && [ -e ${bench.dir}/began-a2 ]; do sleep 0.05; done`;
  await bench.plugin('first', `[ "$CNI_COMMAND" = STATUS ] || { ${meet}; }\n${answering('10.9.0.2/24')}`);
  await bench.conflist(['first']);
  await using network = await bench.network();
  await Promise.all(['a1', 'a2'].map((id) => network.attach(attachRequest(id))));
  expect((await network.attachments()).sort()).toEqual(['a1', 'a2']);
});

test('GC tells each plugin who is in use, also those whose record it was not given', async () => {
  await using bench = await createBench();
  await bench.plugin('first', `${answering('10.9.0.2/24')}; [ "$CNI_COMMAND" != GC ]`);
  await bench.plugin('second', answering('10.9.0.2/24'));
  await bench.conflist(['first', 'second']);
  await using network = await bench.network();
  await network.attach(attachRequest('a1'));
  // All plugins are called although the first fails, and then it is told.
  await expect(network.gc(['a0', 'a1'])).rejects.toMatchObject({
    message: expect.stringContaining('CNI GC of network net'),
  });
  const calls = (await bench.calls()).filter(({ verb }) => verb === 'GC');
  expect(calls.map(({ type }) => type)).toEqual(['first', 'second']);
  const inUse = [
    { containerID: 'a0', ifname: 'eth0' },
    { containerID: 'a1', ifname: 'eth0' },
  ];
  expect(calls[1]?.stdin).toEqual({
    type: 'second',
    name: 'net',
    cniVersion: '1.1.0',
    'cni.dev/valid-attachments': inUse,
    'cni.dev/attachments': inUse,
  });
  expect(calls[1]?.env).toEqual({ CNI_COMMAND: 'GC', CNI_PATH: bench.binDir });
});

test('GC counts a pod that is being attached as in use', async () => {
  await using bench = await createBench();
  await bench.plugin(
    'first',
    `[ "$CNI_COMMAND" != ADD ] || until [ -e ${bench.dir}/go ]; do sleep 0.05; done\n${answering('10.9.0.2/24')}`,
  );
  await bench.conflist(['first']);
  await using network = await bench.network();
  const attaching = network.attach(attachRequest('a1'));
  await network.gc([]);
  await mkdir(join(bench.dir, 'go'));
  await attaching;
  const collection = (await bench.calls()).find(({ verb }) => verb === 'GC');
  expect(collection?.stdin['cni.dev/valid-attachments']).toEqual([{ containerID: 'a1', ifname: 'eth0' }]);
});

test('a pod that names a directory gets the network of that one, and GC goes to all of them', async () => {
  await using bench = await createBench();
  await bench.plugin('first', `${answering('10.9.0.2/24')}; [ "$CNI_COMMAND" != GC ]`);
  await bench.plugin('second', answering('10.8.0.2/24'));
  await bench.conflist(['first']);
  await using network = await bench.network();
  const confDir = join(bench.dir, 'other.d');
  await expect(network.attach(attachRequest('a1', { confDir }))).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(confDir) as string,
  });

  await mkdir(confDir);
  const other = { name: 'other', cniVersion: '1.1.0', plugins: [{ type: 'second' }] };
  await writeFile(join(confDir, '10-other.conflist'), JSON.stringify(other));
  expect(await network.attach(attachRequest('a1', { confDir }))).toMatchObject({ network: 'other' });
  expect(await network.attach(attachRequest('a2'))).toMatchObject({ network: 'net' });
  expect(await network.status()).toMatchObject({ ready: true });
  await expect(network.gc(['a1', 'a2'])).rejects.toThrow(/CNI GC of network net/);
  await network.detach('a1', null);
  const calls = (await bench.calls()).filter(({ verb }) => verb !== 'STATUS');
  expect(calls.map(({ type, verb }) => `${verb} ${type}`)).toEqual([
    'ADD second',
    'ADD first',
    'GC first',
    'GC second',
    'DEL second',
  ]);
});

test('a directory that is not watched is refused', async () => {
  await using bench = await createBench();
  await using network = await bench.network();
  await expect(network.attach(attachRequest('a1', { confDir: '/elsewhere' }))).rejects.toThrow(/not watched/);
});

test.each([[{ cniVersion: '1.0.0' }], [{ disableGC: true }]])('GC is skipped with %j', async (fields) => {
  await using bench = await createBench();
  await bench.plugin('first', 'true');
  await bench.conflist(['first'], fields);
  await using network = await bench.network();
  await network.gc([]);
  expect(await bench.calls()).toEqual([]);
});

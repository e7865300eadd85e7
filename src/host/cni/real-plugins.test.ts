import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { PortMapping } from './attachment.ts';
import type { Network } from './network.ts';
import type { Bench } from './testing/bench.ts';
import { attachRequest, createBench } from './testing/bench.ts';

const exec = promisify(execFile);

/** Where scripts/tools.sh put them; vitest.config.ts says so. */
const BIN = process.env['CRISTAL_CNI_BIN'] ?? '';
const PLUGINS = ['bridge', 'host-local', 'portmap'];
const able = process.getuid?.() === 0 && BIN !== '' && PLUGINS.every((name) => existsSync(join(BIN, name)));

const HOST_PORT = 28431;
const port: PortMapping = { protocol: 'tcp', containerPort: 80, hostPort: HOST_PORT, hostIp: '' };

describe.runIf(able)(`bridge, host-local and portmap of ${BIN}`, () => {
  let bench: Bench;
  let network: Network;
  let prefix = '';
  let host = '';
  let namespaces: string[] = [];

  // A namespace plays the host, so that neither bridges nor firewall rules touch the machine.
  beforeEach(async () => {
    bench = await createBench();
    prefix = `ct${basename(bench.dir).slice(-6)}`;
    host = `${prefix}-host`;
    await namespace(host);
    for (const name of PLUGINS) {
      const path = join(bench.binDir, name);
      await writeFile(path, `#!/bin/sh\nexec ip netns exec ${host} ${join(BIN, name)}\n`);
      await chmod(path, 0o755);
    }
    await bench.conflist([], {
      plugins: [bridgePlugin(join(bench.dir, 'ipam')), portmapPlugin],
      cniVersion: '1.0.0',
    });
    network = await bench.network(20_000);
  });

  afterEach(async () => {
    for (const name of namespaces) await exec('ip', ['netns', 'del', name]);
    namespaces = [];
    await bench[Symbol.asyncDispose]();
  });

  async function namespace(name: string): Promise<string> {
    await exec('ip', ['netns', 'add', name]);
    namespaces.push(name);
    await exec('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    return `/run/netns/${name}`;
  }

  async function heldIps(): Promise<string[]> {
    const names = await readdir(join(bench.dir, 'ipam', 'net'));
    return names.filter((name) => /^[\da-f]+[.:]/.test(name));
  }

  async function firewall(): Promise<string> {
    const tables = ['iptables-save', 'ip6tables-save'].map((tool) =>
      exec('ip', ['netns', 'exec', host, tool]),
    );
    return (await Promise.all(tables)).map(({ stdout }) => stdout).join('\n');
  }

  test('ADD gives both families and an open host port, DEL leaves nothing', async () => {
    const id = `${prefix}-a`;
    const netns = await namespace(id);
    expect(await network.status()).toMatchObject({ ready: true });
    const attachment = await network.attach(attachRequest(id, { netns, portMappings: [port] }));

    expect(attachment).toMatchObject({ network: 'net', ips: ['10.213.77.2', 'fd5c:77::2'] });
    const { stdout } = await exec('ip', ['-n', id, '-o', 'addr', 'show', 'dev', 'eth0']);
    expect(stdout).toContain('10.213.77.2/24');
    expect(stdout).toContain('fd5c:77::2/64');
    expect(await heldIps()).toEqual(['10.213.77.2', 'fd5c:77::2']);
    expect(await greeting(host, { server: id, port: HOST_PORT })).toBe('hello');
    await network.check(id, netns);

    await network.detach(id, netns);
    expect((await exec('ip', ['-n', id, '-o', 'link'])).stdout).not.toContain('eth0');
    expect(await heldIps()).toEqual([]);
    expect(await firewall()).not.toContain(id);
    expect(await firewall()).not.toContain(String(HOST_PORT));
    expect(await network.attachments()).toEqual([]);
  });

  test('addresses and host ports are freed when the namespace went first', async () => {
    const id = `${prefix}-b`;
    const netns = await namespace(id);
    await network.attach(attachRequest(id, { netns, portMappings: [port] }));
    expect(await heldIps()).toHaveLength(2);
    expect(await firewall()).toContain(String(HOST_PORT));
    await exec('ip', ['netns', 'del', namespaces.pop() ?? '']);
    await network.detach(id, netns);
    expect(await heldIps()).toEqual([]);
    expect(await firewall()).not.toContain(String(HOST_PORT));
  });

  test('an ADD that failed at its last plugin is undone by DEL', async () => {
    const id = `${prefix}-c`;
    const netns = await namespace(id);
    const portMappings = [{ ...port, hostIp: 'no address' }];
    await expect(network.attach(attachRequest(id, { netns, portMappings }))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('CNI ADD of network net: plugin portmap: '),
    });
    expect(await heldIps()).toHaveLength(2);
    await network.detach(id, netns);
    expect(await heldIps()).toEqual([]);
    expect(await firewall()).not.toContain(id);
  });

  test('pods at once have addresses of their own', async () => {
    const ids = Array.from({ length: 4 }, (_, index) => `${prefix}-p${index}`);
    const pods = await Promise.all(ids.map(async (id) => ({ id, netns: await namespace(id) })));
    const attached = await Promise.all(
      pods.map(({ id, netns }) => network.attach(attachRequest(id, { netns }))),
    );
    expect(new Set(attached.flatMap(({ ips }) => ips)).size).toBe(8);
    await Promise.all(pods.map(({ id, netns }) => network.detach(id, netns)));
    expect(await heldIps()).toEqual([]);
  });
});

/** What a server inside the pod says to a client on the host that dials the bridge's host port. */
async function greeting(host: string, to: { server: string; port: number }): Promise<string> {
  const serve = `require('net').createServer((s) => s.end('hello')).listen(80, () => console.log('up'))`;
  const dial = `require('net').connect(${to.port}, '10.213.77.1').pipe(process.stdout)`;
  const server = spawn('ip', ['netns', 'exec', to.server, process.execPath, '-e', serve]);
  try {
    await once(server.stdout, 'data');
    const { stdout } = await exec('ip', ['netns', 'exec', host, process.execPath, '-e', dial], {
      timeout: 5000,
    });
    return stdout;
  } finally {
    server.kill();
    await once(server, 'exit');
  }
}

const portmapPlugin = { type: 'portmap', capabilities: { portMappings: true } };

function bridgePlugin(dataDir: string): Record<string, unknown> {
  return {
    type: 'bridge',
    bridge: 'ctest0',
    isGateway: true,
    ipMasq: true,
    hairpinMode: true,
    ipam: {
      type: 'host-local',
      dataDir,
      ranges: [[{ subnet: '10.213.77.0/24' }], [{ subnet: 'fd5c:77::/64' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    },
  };
}

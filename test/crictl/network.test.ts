import { isIPv4, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/processes.ts';
import { freePort } from '../fixtures/registry.ts';
import { containerdVersions, whyNotCrictl } from '../fixtures/tools.ts';
import type { CrictlWorld, PodOverrides } from './world.ts';
import { createWorld, sleeper } from './world.ts';

interface PodStatus {
  status: { network: { ip: string; additionalIps?: { ip: string }[] | null } };
}

/** CRI's NamespaceMode, in which the host's namespaces are called those of the node. */
const NODE = 2;

describe.each(containerdVersions)('pod networks against containerd %s', (version) => {
  describe.skipIf(whyNotCrictl(version) !== null)('a dual-stack bridge', () => {
    let world: CrictlWorld;
    let pods: string[] = [];
    beforeAll(async () => {
      world = await createWorld(version, { dualStack: true });
      await world.crictl.text('pull', world.image);
    });
    afterEach(async () => {
      for (const pod of pods) await world.crictl.text('rmp', '-f', pod);
      pods = [];
    });
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    /** Runs a pod with a container for each command, and returns the containers' ids. */
    async function runPod(
      overrides: PodOverrides,
      commands: string[][],
    ): Promise<{ pod: string; ids: string[] }> {
      const file = world.podFile(overrides);
      const pod = await world.crictl.text('runp', file);
      pods.push(pod);
      const ids: string[] = [];
      for (const [index, command] of commands.entries()) {
        const id = await world.crictl.text('create', pod, world.containerFile(`c${index}`, command), file);
        await world.crictl.text('start', id);
        ids.push(id);
      }
      return { pod, ids };
    }

    async function inside(id: string | undefined, ...command: string[]): Promise<string> {
      return await world.crictl.text('exec', '-s', id ?? '', ...command);
    }

    const web = [
      'sh',
      '-c',
      'mkdir /www; echo from the web server >/www/index.html; exec httpd -f -p 80 -h /www',
    ];

    test('two containers reach each other on 127.0.0.1 and see one hostname', async () => {
      const { ids } = await runPod({ name: 'pair' }, [web, sleeper]);
      const [server, client] = ids;
      const fetched = async (): Promise<boolean> => {
        const { stdout } = await world.crictl.run(
          'exec',
          '-s',
          client ?? '',
          'wget',
          '-qO-',
          'http://127.0.0.1/',
        );
        return stdout.includes('from the web server');
      };
      expect(await eventually(fetched)).toBe(true);
      expect([await inside(server, 'hostname'), await inside(client, 'hostname')]).toEqual(['pair', 'pair']);
      expect(await inside(client, 'cat', '/etc/hostname')).toBe('pair');
    });

    test('a pod has addresses of both families, on its own interface', async () => {
      const { pod, ids } = await runPod({}, [sleeper]);
      const { ip, additionalIps } = (await world.crictl.json<PodStatus>('inspectp', pod)).status.network;
      const [second] = additionalIps ?? [];
      expect(isIPv4(ip) && isIPv6(second?.ip ?? '')).toBe(true);
      expect(additionalIps).toHaveLength(1);
      const shown = await inside(ids[0], 'ip', 'addr', 'show', 'eth0');
      expect(shown).toContain(`inet ${ip}/`);
      expect(shown).toContain(`inet6 ${second?.ip}/`);
      expect(await inside(ids[0], 'ip', 'addr', 'show', 'lo')).toContain('127.0.0.1/8');
    });

    test('pods reach each other by address', async () => {
      const { pod } = await runPod({}, [web]);
      const { ids } = await runPod({}, [sleeper]);
      const { ip } = (await world.crictl.json<PodStatus>('inspectp', pod)).status.network;
      const fetched = async (): Promise<boolean> => {
        const { stdout } = await world.crictl.run(
          'exec',
          '-s',
          ids[0] ?? '',
          'wget',
          '-qO-',
          `http://${ip}/`,
        );
        return stdout.includes('from the web server');
      };
      expect(await eventually(fetched)).toBe(true);
    });

    test('a host-network pod sees the host, and has no address of its own', async () => {
      const linux = { security_context: { namespace_options: { network: NODE } } };
      const file = { hostname: '', linux };
      const { pod, ids } = await runPod(file, [sleeper]);
      expect(await inside(ids[0], 'hostname')).toBe(hostname());
      expect(await inside(ids[0], 'ls', '/sys/class/net')).toContain(world.cni.bridge);
      expect((await world.crictl.json<PodStatus>('inspectp', pod)).status.network.ip).toBe('');
    });

    test('a host port leads to the pod, and is closed with it', async () => {
      const port = await freePort();
      const mapping = { protocol: 0, container_port: 80, host_port: port };
      const { pod } = await runPod({ port_mappings: [mapping] }, [web]);
      const answer = async (): Promise<string> => {
        try {
          const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) });
          return await response.text();
        } catch {
          return 'nobody';
        }
      };
      expect(await eventually(async () => (await answer()) === 'from the web server\n')).toBe(true);
      await world.crictl.text('stopp', pod);
      expect(await answer()).toBe('nobody');
    });
  });
});

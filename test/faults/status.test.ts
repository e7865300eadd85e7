import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createCrictl } from '../fixtures/crictl.ts';
import { startCristal } from '../fixtures/cristal.ts';
import { eventually } from '../fixtures/processes.ts';
import { containerdVersions, tools, whyNot } from '../fixtures/tools.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld } from './world.ts';
import { failure } from './world.ts';

describe.each(containerdVersions)('Status and configuration over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('as they are', () => {
    let world: FaultWorld;

    shareWorld(version, (made) => {
      world = made;
    });

    test('Status answers at once when containerd is gone, and soon when it hangs', async () => {
      const conditions = async () => {
        const start = performance.now();
        const { status } = await world.cri.runtime.status({});
        const told = status?.conditions.find(({ type }) => type === 'RuntimeReady');
        return {
          ready: told?.status,
          reason: told?.reason,
          message: told?.message,
          ms: performance.now() - start,
        };
      };
      expect(await conditions()).toMatchObject({ ready: true, reason: '', message: '' });
      const rule = world.proxy.rule({
        method: '/containerd.services.version.v1.Version/Version',
        when: 'before',
        action: 'hang',
      });
      const hanging = await conditions();
      expect(hanging).toMatchObject({ ready: false, reason: 'ContainerdNotReady' });
      expect(hanging.ms).toBeLessThan(4_000);
      rule.remove();
      await world.containerd.halt('kill');
      const gone = await conditions();
      expect(gone).toMatchObject({ ready: false, reason: 'ContainerdNotReady' });
      expect(gone.message).toContain('does not answer');
      expect(gone.ms).toBeLessThan(1_500);
      await world.containerd.resume();
      expect(await eventually(async () => (await conditions()).ready === true)).toBe(true);
    });

    test.skipIf(tools.crictl === undefined)(
      'crictl sets the pod CIDR, shows the driver and the info',
      async () => {
        const ownConf = join(world.logs, 'net.d');
        const template = join(world.logs, 'template');
        writeFileSync(
          template,
          `{"name": "from-template", "cniVersion": "1.0.0", "plugins": [{"type": "bridge", "ipam": {"type": "host-local",
          "ranges": [{{range $i, $range := .PodCIDRRanges}}{{if $i}}, {{end}}[{"subnet": "{{$range}}"}]{{end}}],
          "routes": [{{range $i, $route := .Routes}}{{if $i}}, {{end}}{"dst": "{{$route}}"}{{end}}]}}]}`,
        );
        const containerd = { address: world.containerd.address, version };
        await using other = await startCristal({
          containerd,
          cni: { confDir: ownConf, binDirs: world.cni.binDirs },
          tables: [`conf_template = ${JSON.stringify(template)}`],
        });
        const crictl = createCrictl(other.address);
        const info = async () =>
          await crictl.json<{
            status: { conditions: { type: string; status: boolean; message: string }[] };
            cniconfig: { file: string; network: { name: string } | null };
            lastCNILoadStatus: string;
            version: { containerd: string };
            paths: { root: string };
          }>('info');
        const ready = async () =>
          (await info()).status.conditions.find(({ type }) => type === 'NetworkReady')?.status === true;
        expect(await ready()).toBe(false);
        expect((await info()).lastCNILoadStatus).toContain('does not exist');

        const api = (podCidr: string) =>
          other.cri.runtime.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr } } });
        await crictl.text('update-runtime-config', '--pod-cidr', '10.9.0.0/24');
        expect(await eventually(ready)).toBe(true);
        expect(await info()).toMatchObject({
          cniconfig: { file: join(ownConf, '10-cristal-net.conflist'), network: { name: 'from-template' } },
          lastCNILoadStatus: 'OK',
          version: { containerd: expect.stringMatching(/^v?\d+\.\d+/) as string },
          paths: { root: other.root },
        });
        await api('10.9.1.0/24,fd09::/64');
        const written = JSON.parse(readFileSync(join(ownConf, '10-cristal-net.conflist'), 'utf8')) as {
          plugins: [{ ipam: object }];
        };
        expect(written.plugins[0].ipam).toMatchObject({
          ranges: [[{ subnet: '10.9.1.0/24' }], [{ subnet: 'fd09::/64' }]],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
        });
        expect((await failure(api('10.9.0.0'))).code).toBe('INVALID_ARGUMENT');

        // A network of an add-on's is not ours to write over.
        writeFileSync(join(ownConf, '05-addon.conflist'), readFileSync(world.cni.confFile));
        await eventually(async () => (await info()).cniconfig.file.endsWith('05-addon.conflist'));
        await api('10.9.2.0/24');
        await sleep(50);
        expect(readFileSync(join(ownConf, '10-cristal-net.conflist'), 'utf8')).toContain('10.9.1.0/24');

        const { linux } = await other.cri.runtime.runtimeConfig({});
        expect(linux?.cgroupDriver).toBe('CGROUPFS');
        expect((await crictl.text('runtime-config')).toLowerCase()).toContain('cgroupfs');
      },
    );
  });
});

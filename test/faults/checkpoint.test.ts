import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createCrictl } from '../fixtures/crictl.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { eventually } from '../fixtures/processes.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';
import { containerdVersions, need, pathFor, tools, whyNot, whyNotCriu } from '../fixtures/tools.ts';
import { COUNTER, countedLines } from './log-lines.ts';
import { shareWorld } from './shared-world.ts';
import type { FaultWorld } from './world.ts';
import { failure } from './world.ts';

/** Whether CRIU is here, and works on this kernel. */
const canCheckpoint = (version: ContainerdVersion): boolean =>
  whyNotCriu(version) === null && spawnSync(need(tools.criu, 'CRIU'), ['check']).status === 0;

describe.each(containerdVersions)('CheckpointContainer over containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('of a container', () => {
    let world: FaultWorld;
    let clean: Snapshot;
    let dir: string;
    let count = 0;

    shareWorld(version, (made, before) => {
      world = made;
      clean = before;
      dir = mkdtempSync(join(world.logs, 'archives-'));
    });
    afterEach(() => rmSync(dir, { recursive: true }));

    async function counting() {
      count += 1;
      const pod = world.pod(`checkpoint-${count}`);
      const started = await world.runContainer(pod, world.container('counter', COUNTER));
      const log = join(pod.logDirectory, 'counter.log');
      await eventually(() => existsSync(log) && countedLines(log) > 5);
      return { ...started, log };
    }

    async function removePod(podSandboxId: string): Promise<void> {
      await world.cri.runtime.removePodSandbox({ podSandboxId });
      expect(await world.left(clean)).toEqual([]);
    }

    test('is refused for one that does not run, is not there, or without a path', async () => {
      const pod = world.pod('refused');
      const podId = await world.runPod(pod);
      const containerId = await world.createContainer(podId, pod, world.container('created'));
      const location = join(dir, 'c.tar');
      const codeOf = async (request: object) =>
        (await failure(world.cri.runtime.checkpointContainer(request))).code;
      expect(await codeOf({ containerId, location })).toBe('FAILED_PRECONDITION');
      expect(await codeOf({ containerId, location: '' })).toBe('INVALID_ARGUMENT');
      expect(await codeOf({ containerId: 'none', location })).toBe('NOT_FOUND');
      await removePod(podId);
    });

    test.skipIf(!canCheckpoint(version))(
      'has its memory and its files in the archive, and goes on',
      async () => {
        const { podId, id, log } = await counting();
        await world.cri.runtime.execSync({
          containerId: id,
          cmd: ['sh', '-c', 'echo kept > /kept'],
          timeout: 5,
        });
        const location = join(dir, 'c.tar');
        await world.cri.runtime.checkpointContainer({ containerId: id, location, timeout: 30 });
        expect(statSync(location).mode & 0o777).toBe(0o600);
        const names = execFileSync('tar', ['-tf', location], { encoding: 'utf8' }).split('\n');
        for (const name of ['config.dump', 'spec.dump', 'status.dump', 'rootfs-diff.tar', 'dump.log'])
          expect(names).toContain(name);
        expect(names.filter((name) => name.startsWith('checkpoint/')).length).toBeGreaterThan(5);
        execFileSync('tar', ['-xf', location, '-C', dir]);
        expect(JSON.parse(readFileSync(join(dir, 'status.dump'), 'utf8'))).toMatchObject({ id, state: 1 });
        const changed = execFileSync('tar', ['-tf', join(dir, 'rootfs-diff.tar')], { encoding: 'utf8' });
        expect(changed.split('\n')).toContain('kept');

        if (tools.crictl !== null) {
          const byCrictl = join(dir, 'crictl.tar');
          await createCrictl(world.cristal.address).text('checkpoint', `--export=${byCrictl}`, id);
          expect(statSync(byCrictl).size).toBeGreaterThan(10_000);
        }

        const lines = countedLines(log);
        expect(await eventually(() => countedLines(log) > lines + 5)).toBe(true);
        expect(readdirSync(join(world.cristal.root, 'containers', id))).not.toContain('checkpoint');
        await removePod(podId);
      },
    );

    test.skipIf(!canCheckpoint(version))('that fails leaves nothing, and the container runs on', async () => {
      const { podId, id, log } = await counting();
      const location = join(dir, 'c.tar');
      const method = '/containerd.services.diff.v1.Diff/Diff';
      world.proxy.rule({ method, when: 'before', action: 'fail', code: 'UNKNOWN', times: 1 });
      const error = await failure(world.cri.runtime.checkpointContainer({ containerId: id, location }));
      expect(error.message).toContain('checkpoint container');
      expect(existsSync(location)).toBe(false);
      const lines = countedLines(log);
      expect(await eventually(() => countedLines(log) > lines + 5)).toBe(true);
      await removePod(podId);
    });

    test.skipIf(!canCheckpoint(version))(
      'during which cristal is killed goes on when it is back',
      async () => {
        const { podId, id, log } = await counting();
        const method = '/containerd.services.diff.v1.Diff/Diff';
        const rule = world.proxy.rule({ method, when: 'before', action: 'hang', times: 1 });
        const call = failure(
          world.cri.runtime.checkpointContainer({ containerId: id, location: join(dir, 'c.tar') }),
        );
        await rule.hit;
        await world.cristal.kill9();
        await call;
        rule.remove();
        await sleep(200);
        const lines = countedLines(log);
        await world.cristal.resume();
        expect(await eventually(() => countedLines(log) > lines + 5)).toBe(true);
        await world.cri.runtime.stopContainer({ containerId: id, timeout: 5 });
        await removePod(podId);
      },
    );
  });
});

// What the machine has of its own stays in the PATH.
const hasOwnCriu = spawnSync('criu', ['--version']).error === undefined;

describe.skipIf(whyNot('2.3') !== null || hasOwnCriu)('CheckpointContainer without CRIU', () => {
  let world: FaultWorld;
  let clean: Snapshot;

  shareWorld(
    '2.3',
    (made, before) => {
      world = made;
      clean = before;
    },
    { env: { PATH: whyNot('2.3') === null ? pathFor('2.3', { criu: null }) : '' } },
  );

  test('says so, and leaves the container alone', async () => {
    const { podId, id } = await world.runContainer(world.pod('without'), world.container('app'));
    const location = join(world.logs, 'c.tar');
    const error = await failure(world.cri.runtime.checkpointContainer({ containerId: id, location }));
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(error.message).toContain('install criu');
    expect(existsSync(location)).toBe(false);
    expect(await world.containerState(id)).toBe('CONTAINER_RUNNING');
    await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
    expect(await world.left(clean)).toEqual([]);
  });
});

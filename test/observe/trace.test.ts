import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { askDaemon } from '../../src/cli/ask-daemon.ts';
import type { SpanView, StuckView, TraceSummary, TraceView } from '../../src/observe/views.ts';
import type { FaultWorld } from '../faults/world.ts';
import { createFaultWorld, failure } from '../faults/world.ts';
import { eventually } from '../fixtures/processes.ts';
import { whyNot } from '../fixtures/tools.ts';

const CREATE_CONTAINER = '/containerd.services.containers.v1.Containers/Create';
const main = join(import.meta.dirname, '../../src/main.ts');
const run = promisify(execFile);

interface Stage {
  path: string;
  span: SpanView;
}

/** All stages of a trace, with those around each as a path. */
function stagesOf(root: SpanView, before = ''): Stage[] {
  const path = `${before}/${root.kind} ${root.name}`;
  const below = [...(root.waitsFor ? [root.waitsFor] : []), ...(root.children ?? [])];
  return [{ path, span: root }, ...below.flatMap((child) => stagesOf(child, path))];
}

/** When the work of a call began, measured from the call. */
function workStart(stages: Stage[]): number {
  return stages.find(({ span }) => span.kind === 'operation')!.span.start;
}

describe.each(['1.6', '2.3'] as const)('cristal trace, containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('', () => {
    let world: FaultWorld;

    beforeAll(async () => {
      world = await createFaultWorld(version);
    });
    afterEach(async () => await world.heal());
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    async function trace(...words: string[]): Promise<string> {
      const argv = [main, 'trace', '--config', world.cristal.configFile, ...words];
      return (await run(process.execPath, argv)).stdout;
    }

    /** The same without a process of its own, for what is over soon. */
    const ask = async (path: string) => await askDaemon(`${world.cristal.state}/debug.sock`, path);

    async function latest(rpc: string): Promise<TraceSummary[]> {
      return ((await ask(`/traces?rpc=${rpc}`)) as { latest: TraceSummary[] }).latest;
    }

    async function stages({ id }: TraceSummary): Promise<Stage[]> {
      const view = (await ask(`/traces/${id}`)) as TraceView;
      expect(view.dropped).toBe(0);
      return stagesOf(view.root);
    }

    test('RunPodSandbox is a tree with every plugin, call of containerd and pin', async () => {
      const podId = await world.runPod(world.pod('traced'));
      const [call] = await latest('RunPodSandbox');
      expect(call).toMatchObject({ kind: 'rpc', target: 'default/traced', code: 'ok' });
      const found = await stages(call!);
      const paths = found.map(({ path }) => path);
      const operation = '/rpc RunPodSandbox/wait operation/operation RunPodSandbox';
      const phase = `${operation}/phase record, files, namespaces and network`;
      expect(paths).toEqual(
        expect.arrayContaining([
          `${operation}/phase write intent/file write status`,
          `${phase}/containerd Containers.Create`,
          `${phase}/file make sandbox files`,
          `${phase}/namespaces pin`,
          `${operation}/phase CNI ADD/cni faulty-bridge ADD`,
          `${operation}/phase CNI ADD/cni portmap ADD`,
          `${operation}/phase write status/file write status`,
        ]),
      );
      // The plugins are processes: they take time, and one after the other.
      const [bridge, portmap] = ['faulty-bridge ADD', 'portmap ADD'].map(
        (name) => found.find(({ span }) => span.name === name)!.span,
      ) as [SpanView, SpanView];
      expect(bridge.ms).toBeGreaterThan(1);
      expect(portmap.start).toBeGreaterThanOrEqual(bridge.start + bridge.ms);
      expect(call!.ms).toBeGreaterThanOrEqual(bridge.ms + portmap.ms);
      expect(found.filter(({ span }) => span.code !== 'ok')).toEqual([]);
      await world.cri.runtime.stopPodSandbox({ podSandboxId: podId });
      const [stop] = await latest('StopPodSandbox');
      expect(stop).toMatchObject({ target: 'default/traced' });
      expect((await stages(stop!)).map(({ span }) => span.name)).toEqual(
        expect.arrayContaining(['portmap DEL', 'faulty-bridge DEL', 'unpin']),
      );
    });

    test('a container is snapshot, record, FIFOs and task, and its exit is an event', async () => {
      const pod = world.pod('contained');
      const { id } = await world.runContainer(pod, world.container('short', ['true']));
      const names = async (rpc: string) =>
        (await stages((await latest(rpc))[0]!)).map(({ span }) => `${span.kind} ${span.name}`);
      expect(await names('CreateContainer')).toEqual(
        expect.arrayContaining(['containerd Snapshots.Prepare', 'containerd Containers.Create']),
      );
      expect(await names('StartContainer')).toEqual(
        expect.arrayContaining(['log open', 'containerd Tasks.Create', 'containerd Tasks.Start']),
      );
      expect((await latest('StartContainer'))[0]).toMatchObject({ target: 'default/contained/short' });
      const exited = async () => (await world.containerState(id)) === 'CONTAINER_EXITED';
      expect(await eventually(exited, 10_000)).toBe(true);
      // Its task is deleted after it is known to have exited.
      let exit: TraceSummary | undefined;
      const ended = async () => {
        exit = (await latest('task-exit')).find(({ target }) => target === id);
        return exit !== undefined;
      };
      await eventually(ended, 5_000);
      expect(exit).toMatchObject({ kind: 'event', code: 'ok' });
      expect((await stages(exit!)).map(({ path }) => path)).toEqual(
        expect.arrayContaining([
          '/event task-exit/log drained',
          '/event task-exit/exit Completed/containerd Tasks.Delete',
        ]),
      );
    });

    test('a call that hangs in a plugin is seen while it hangs, and who joins it waits for the same work', async () => {
      world.fake.fault('ADD', 'hang');
      const pod = world.pod('stuck');
      const first = failure(world.runPod(pod));
      await eventually(() => world.fake.hanging().length > 0, 10_000);
      const second = failure(world.runPod(pod));
      let running: StuckView[] = [];
      const both = async () => {
        running = ((await ask('/stuck?rpc=RunPodSandbox')) as { running: StuckView[] }).running;
        return running.filter(({ kind }) => kind === 'rpc').length === 2;
      };
      expect(await eventually(both, 1_200), JSON.stringify(running)).toBe(true);
      for (const {
        target,
        stages: [stage],
      } of running.filter(({ kind }) => kind === 'rpc')) {
        expect(target).toBe('default/stuck');
        expect(stage?.path).toEqual(['operation RunPodSandbox', 'CNI ADD', 'cni faulty-bridge ADD']);
      }
      for (const error of await Promise.all([first, second])) expect(error.code).toBe('DEADLINE_EXCEEDED');
      const [joined, started] = await latest('RunPodSandbox');
      expect([joined?.code, started?.code]).toEqual(['deadline_exceeded', 'deadline_exceeded']);
      // The work is the same one: for the call that joined it, it began before the call did.
      const [late, early] = await Promise.all([joined!, started!].map(stages));
      expect(workStart(early!)).toBeGreaterThanOrEqual(0);
      expect(workStart(late!)).toBeLessThan(-10);
    });

    test('what people see', async () => {
      const podId = await world.runPod(world.pod('shown'));
      const [call] = await latest('RunPodSandbox');
      expect(await trace('--rpc', 'RunPodSandbox')).toMatch(
        new RegExp(
          `^LATEST\nID +CALL +TARGET +START +TIME +CODE\n${call!.id} +RunPodSandbox +default/shown `,
        ),
      );
      const lines = (await trace(String(call!.id))).split('\n');
      expect(lines[0]).toMatch(/^trace \d+ {2}RunPodSandbox {2}default\/shown {2}ok /);
      expect(lines.find((line) => line.includes('cni portmap ADD'))).toMatch(
        /^[ │]+[├└] cni portmap ADD .* ms +=+$/,
      );
      expect(JSON.parse(await trace('--json', String(call!.id)))).toMatchObject({ id: call!.id, code: 'ok' });
      expect(await trace('--stuck', '--rpc', 'RunPodSandbox')).toBe('nothing runs\n');
      const held = world.proxy.rule({ method: CREATE_CONTAINER, when: 'before', action: 'hang', times: 1 });
      const hanging = world.runPod(world.pod('held'));
      await held.hit;
      expect(await trace('--stuck')).toMatch(
        /^ID +CALL .*\n(.*\n)*\d+ +RunPodSandbox +default\/held +\S+ m?s +operation RunPodSandbox › .* › containerd Containers\.Create/,
      );
      held.release();
      await hanging;
      await expect(trace('999999')).rejects.toMatchObject({
        code: 1,
        stderr: 'cristal: no trace 999999: it was never there, or is no longer kept\n',
      });
      await world.cri.runtime.removePodSandbox({ podSandboxId: podId });
    });

    test('recovery is a trace too', async () => {
      await world.cristal.restart();
      const [recovery] = await latest('recover');
      expect(recovery).toMatchObject({ kind: 'daemon', code: 'ok' });
      expect((await stages(recovery!)).map(({ span }) => span.name)).toContain('Tasks.List');
    });
  });
});

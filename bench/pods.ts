import { join } from 'node:path';
import { MASKED_PATHS, READONLY_PATHS } from '../src/spec/paths.ts';
import type { Bench, SideName } from './sides.ts';
import type { Times } from './times.ts';
import { noTimes, timed } from './times.ts';

/** A pod that runs, and its one container. */
export interface Pod {
  readonly podSandboxId: string;
  readonly containerId: string;
}

/** How a pod is wished for. */
export interface Wish {
  readonly side: SideName;
  /** Must differ between pods that exist at once. */
  readonly name: string;
  readonly command?: string[];
  /** Takes what each call took. */
  readonly times?: Times;
}

/** Makes a pod with a running container, as the kubelet does: three calls in a row. */
export async function bringUp(bench: Bench, wish: Wish): Promise<Pod> {
  const { side, name, command = ['sleep', '3600'], times = noTimes() } = wish;
  const { runtime } = bench.sides[side].client;
  const { config: sandboxConfig, container: config } = podOf(bench, name, command);
  const step = <T>(label: string, act: () => Promise<T>): Promise<T> => timed(times[side], label, act);
  return await step('pod up', async () => {
    const { podSandboxId } = await step('RunPodSandbox', () =>
      runtime.runPodSandbox({ config: sandboxConfig }),
    );
    const { containerId } = await step('CreateContainer', () =>
      runtime.createContainer({ podSandboxId, config, sandboxConfig }),
    );
    await step('StartContainer', () => runtime.startContainer({ containerId }));
    return { podSandboxId, containerId };
  });
}

/** Takes a pod away in the kubelet's order: all is stopped before anything is removed. */
export async function takeDown(bench: Bench, wish: Omit<Wish, 'command'>, pod: Pod): Promise<void> {
  const { side, times = noTimes() } = wish;
  const { runtime } = bench.sides[side].client;
  const { podSandboxId, containerId } = pod;
  const step = (label: string, act: () => Promise<unknown>): Promise<unknown> =>
    timed(times[side], label, act);
  await step('pod down', async () => {
    await step('StopContainer', () => runtime.stopContainer({ containerId, timeout: 0 }));
    await step('StopPodSandbox', () => runtime.stopPodSandbox({ podSandboxId }));
    await step('RemoveContainer', () => runtime.removeContainer({ containerId }));
    await step('RemovePodSandbox', () => runtime.removePodSandbox({ podSandboxId }));
  });
}

/** Does something for each of many, so many at a time. */
export async function atATime<T, R>(
  items: readonly T[],
  width: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = [...items.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      results[next[0]] = await act(next[1]);
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return results;
}

/** A pod and its one container, as requests for it, with what the kubelet hides and protects in /proc. */
export function podOf({ image, dir }: Pick<Bench, 'image' | 'dir'>, name: string, command: string[]) {
  const namespaceOptions = { pid: 'CONTAINER' as const };
  return {
    config: {
      metadata: { name, namespace: 'bench', uid: name, attempt: 0 },
      hostname: name,
      logDirectory: join(dir, 'logs'),
      linux: { securityContext: { namespaceOptions } },
    },
    container: {
      metadata: { name: 'main', attempt: 0 },
      image: { image },
      command,
      logPath: `${name}.log`,
      linux: {
        securityContext: {
          namespaceOptions,
          maskedPaths: [...MASKED_PATHS],
          readonlyPaths: [...READONLY_PATHS],
        },
      },
    },
  };
}

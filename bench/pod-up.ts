// How long a pod takes from RunPodSandbox to a running container, and back: cristal and containerd's
// built-in CRI in turn, one client, one run. `npm run bench` prints medians and their ratio.
import type { Bench, SideName, Times } from './sides.ts';
import { noTimes, podOf, printTable, SIDES, startSides, timed } from './sides.ts';

const ROUNDS = Number(process.argv[2] ?? 20);
const WARM_UP = 2;

/** One pod up and down again; adds what each step took. */
async function onePod(bench: Bench, side: SideName, name: string, all: Times): Promise<void> {
  const { runtime } = bench.sides[side].client;
  const { config, container } = podOf(bench, name, ['sleep', '3600']);
  const step = <T>(label: string, act: () => Promise<T>): Promise<T> => timed(all[side], label, act);
  const { podSandboxId, containerId } = await step('pod up', async () => {
    const sandbox = await step('RunPodSandbox', () => runtime.runPodSandbox({ config }));
    const created = await step('CreateContainer', () =>
      runtime.createContainer({
        podSandboxId: sandbox.podSandboxId,
        config: container,
        sandboxConfig: config,
      }),
    );
    await step('StartContainer', () => runtime.startContainer({ containerId: created.containerId }));
    return { ...sandbox, ...created };
  });
  await step('ExecSync true', () => runtime.execSync({ containerId, cmd: ['true'], timeout: 10 }));
  await step('pod down', async () => {
    await runtime.stopContainer({ containerId, timeout: 0 });
    await runtime.removeContainer({ containerId });
    await runtime.stopPodSandbox({ podSandboxId });
    await runtime.removePodSandbox({ podSandboxId });
  });
}

await using bench = await startSides();
const times = noTimes();
for (let round = 0; round < ROUNDS + WARM_UP; round++) {
  const kept = round < WARM_UP ? noTimes() : times;
  for (const side of SIDES) await onePod(bench, side, `pod-${round}`, kept);
}
printTable(`median of ${ROUNDS} rounds, ms`, times);

// How long a pod takes from RunPodSandbox to a running container, and back: cristal and containerd's
// built-in CRI in turn, one client, one run. `npm run bench` prints medians and their ratio.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createCni } from '../test/fixtures/cni.ts';
import { startContainerd } from '../test/fixtures/containerd.ts';
import type { CriClient } from '../test/fixtures/cri-client.ts';
import { createCriClient } from '../test/fixtures/cri-client.ts';
import { startCristal } from '../test/fixtures/cristal.ts';
import { busyboxImage, pushImage } from '../test/fixtures/images.ts';
import { startRegistry } from '../test/fixtures/registry.ts';
import { removeScratch, scratchDir } from '../test/fixtures/scratch.ts';

const ROUNDS = Number(process.argv[2] ?? 20);
const WARM_UP = 2;

type Times = Map<string, number[]>;

/** One pod up and down again; adds what each step took, in milliseconds. */
async function onePod(
  client: CriClient,
  image: string,
  name: string,
  logs: string,
  times: Times,
): Promise<void> {
  const step = async <T>(label: string, act: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await act();
    times.set(label, [...(times.get(label) ?? []), performance.now() - start]);
    return result;
  };
  const config = {
    metadata: { name, namespace: 'bench', uid: name, attempt: 0 },
    hostname: name,
    logDirectory: logs,
    linux: { securityContext: { namespaceOptions: { pid: 'CONTAINER' as const } } },
  };
  const container = {
    metadata: { name: 'main', attempt: 0 },
    image: { image },
    command: ['sleep', '3600'],
    logPath: `${name}.log`,
    linux: { securityContext: { namespaceOptions: { pid: 'CONTAINER' as const } } },
  };
  const runtime = client.runtime;
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

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

await using stack = new AsyncDisposableStack();
const dir = stack.adopt(scratchDir('bench'), removeScratch);
const logs = join(dir, 'logs');
mkdirSync(logs);
const registry = stack.use(await startRegistry());
const { certsDir } = registry;
const image = `${registry.host}/busybox:1`;
await pushImage(registry.url, 'busybox', '1', await busyboxImage({ config: { Cmd: ['sleep', '3600'] } }));

const builtinCni = stack.use(createCni());
const builtin = stack.use(
  await startContainerd({
    version: '2.3',
    cri: true,
    cniConfDir: builtinCni.confDir,
    certsDir,
    pauseImage: image,
  }),
);
const cni = stack.use(createCni());
const containerd = stack.use(await startContainerd({ version: '2.3' }));
const cristal = stack.use(await startCristal({ containerd, cni, certsDir }));

const sides = { cristal: createCriClient(cristal.address), builtin: createCriClient(builtin.address) };
const times: Record<keyof typeof sides, Times> = { cristal: new Map(), builtin: new Map() };
for (const client of Object.values(sides)) await client.image.pullImage({ image: { image } });
for (let round = 0; round < ROUNDS + WARM_UP; round++) {
  for (const side of ['cristal', 'builtin'] as const) {
    const kept = round < WARM_UP ? new Map() : times[side];
    await onePod(sides[side], image, `pod-${round}`, logs, kept);
  }
}
for (const client of Object.values(sides)) client[Symbol.dispose]();

process.stdout.write(`median of ${ROUNDS} rounds, ms        cristal  containerd 2.3 CRI  ratio\n`);
for (const label of times.cristal.keys()) {
  const [ours, theirs] = [median(times.cristal.get(label) ?? []), median(times.builtin.get(label) ?? [])];
  const cells = [
    ours.toFixed(1).padStart(10),
    theirs.toFixed(1).padStart(18),
    (ours / theirs).toFixed(2).padStart(8),
  ];
  process.stdout.write(`${label.padEnd(32)}${cells.join('')}\n`);
}

import { expect, test } from 'vitest';
import type { ContainerRecord } from '../containerd/containers.ts';
import { buildContainerSpec } from '../spec/container.ts';
import { containerInput } from '../spec/fixtures.ts';
import type { ExecCommand } from './exec-process.ts';
import { createExecProcesses } from './exec-process.ts';
import { specAny, specFrom } from './oci-any.ts';

const signal = new AbortController().signal;
const exec = (containerId: string, cmd: string[]): ExecCommand => ({ containerId, cmd, tty: false });

/** Says which containers containerd was asked for. */
function counting() {
  const asked: string[] = [];
  const spec = specAny(buildContainerSpec(containerInput()));
  const get = async (id: string) => {
    asked.push(id);
    return await Promise.resolve({ id, spec } as ContainerRecord);
  };
  return { asked, processes: createExecProcesses({ get }) };
}

test('containerd is asked once for a container, and each command is its own', async () => {
  const { asked, processes } = counting();

  const first = await processes.of(exec('a', ['ls']), signal);
  const second = await processes.of(exec('a', ['ps', '-e']), signal);

  expect(asked).toEqual(['a']);
  expect([first, second].map((any) => (specFrom(any) as unknown as { args: string[] }).args)).toEqual([
    ['ls'],
    ['ps', '-e'],
  ]);
});

test('containerd is not asked for a process that was told, and hears the same of it', async () => {
  const { asked, processes } = counting();
  processes.keep('told', buildContainerSpec(containerInput()).process);
  expect(await processes.of(exec('told', ['ls']), signal)).toEqual(
    await processes.of(exec('asked', ['ls']), signal),
  );
  expect(asked).toEqual(['asked']);
});

test('what was used least recently is forgotten first', async () => {
  const { asked, processes } = counting();
  await processes.of(exec('probed', ['true']), signal);
  for (let place = 0; place < 1_500; place++) {
    await processes.of(exec(`once-${place}`, ['true']), signal);
    if (place % 100 === 0) await processes.of(exec('probed', ['true']), signal);
  }
  asked.length = 0;

  await processes.of(exec('probed', ['true']), signal);
  await processes.of(exec('once-0', ['true']), signal);

  expect(asked).toEqual(['once-0']);
});

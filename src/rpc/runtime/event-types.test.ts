import { expect, test } from 'vitest';
import type { ContainerState } from '../../store/containers.ts';
import type { SandboxState } from '../../store/sandboxes.ts';
import { containerEvents, sandboxEvents } from './event-types.ts';

const of = <S>(state: S | null) => (state === null ? null : { state });
const word = (type: string) => type.replace(/^CONTAINER_(.*)_EVENT$/, '$1');

test.each<[ContainerState | null, ContainerState | null, string[]]>([
  [null, 'created', ['CREATED']],
  [null, 'unknown', ['CREATED']],
  ['created', 'running', ['STARTED']],
  ['unknown', 'running', []],
  ['running', 'running', []],
  ['running', 'exited', ['STOPPED']],
  ['created', 'exited', ['STOPPED']],
  ['unknown', 'exited', ['STOPPED']],
  ['exited', 'exited', []],
  ['exited', 'removing', []],
  ['created', 'removing', []],
  ['removing', null, ['DELETED']],
  ['created', null, ['DELETED']],
])('a container from %s to %s: %j', (before, after, types) => {
  expect(containerEvents(of(before), of(after)).map(word)).toEqual(types);
});

test.each<[SandboxState | null, SandboxState | null, string[]]>([
  [null, 'ready', ['CREATED', 'STARTED']],
  [null, 'unknown', ['CREATED']],
  ['ready', 'ready', []],
  ['ready', 'notready', ['STOPPED']],
  ['ready', 'unknown', ['STOPPED']],
  ['notready', 'notready', []],
  ['unknown', 'notready', []],
  ['notready', null, ['DELETED']],
])('a pod sandbox from %s to %s: %j', (before, after, types) => {
  expect(sandboxEvents(of(before), of(after)).map(word)).toEqual(types);
});

import { expect, it } from 'vitest';
import type { EventBody } from './event-body.ts';
import { decodeEvent } from './event-body.ts';
import { api } from './proto.ts';

const end = { containerId: 'c', id: 'e', pid: 7, exitStatus: 137 };
const exitedAt = { seconds: '1700000000', nanos: 5 };
const exit = api['containerd.events.TaskExit'].serialize({ ...end, exitedAt });
const deletion = api['containerd.events.TaskDelete'].serialize({ ...end, id: '', exitedAt });
const oom = api['containerd.events.TaskOOM'].serialize({ containerId: 'c' });
const image = api['containerd.services.images.v1.ImageUpdate'].serialize({ name: 'n' });
const ns = 1_700_000_000_000_000_005n;

it.each<[string, Uint8Array, EventBody]>([
  ['containerd.events.TaskExit', exit, { type: 'task-exit', ...end, exitedAt: ns }],
  ['types.containerd.io/containerd.events.TaskExit', exit, { type: 'task-exit', ...end, exitedAt: ns }],
  ['containerd.events.TaskDelete', deletion, { type: 'task-delete', ...end, id: 'c', exitedAt: ns }],
  ['type.googleapis.com/containerd.events.TaskOOM', oom, { type: 'task-oom', containerId: 'c' }],
  ['containerd.services.images.v1.ImageUpdate', image, { type: 'image-update', name: 'n' }],
  ['containerd.events.TaskPaused', oom, { type: 'other', typeUrl: 'containerd.events.TaskPaused' }],
])('%s', (typeUrl, value, expected) => {
  expect(decodeEvent({ typeUrl, value })).toEqual(expected);
});

it('is "other" without a body', () => {
  expect(decodeEvent(null)).toEqual({ type: 'other', typeUrl: '' });
});

import { expect, test } from 'vitest';
import type { ContainerFilter__Output as Filter } from '../../gen/runtime/v1/ContainerFilter.ts';
import type { Image } from '../../image/image.ts';
import { containerConfig } from '../../spec/fixtures.ts';
import type { ContainerState } from '../../store/containers.ts';
import { container } from '../fixtures.ts';
import { criState, fits, toListed, toStatus } from './status.ts';

const noImages = { find: () => null };
const tagged = { find: () => ({ repoTags: ['docker.io/library/app:1', 'app:2'] }) as Image };

test.each<[ContainerState, string]>([
  ['creating', 'CONTAINER_CREATED'],
  ['created', 'CONTAINER_CREATED'],
  ['running', 'CONTAINER_RUNNING'],
  ['exited', 'CONTAINER_EXITED'],
  ['removing', 'CONTAINER_EXITED'],
  ['unknown', 'CONTAINER_UNKNOWN'],
])('%s is %s', (state, shown) => {
  expect(criState({ state })).toBe(shown);
});

test('the status of an exited container tells how and when', () => {
  const over = {
    state: 'exited',
    exitCode: 137,
    reason: 'OOMKilled',
    message: 'm',
    finishedAt: 1_795_000_002_000_000_001n,
  } as const;
  expect(toStatus(container(over), noImages)).toMatchObject({
    state: 'CONTAINER_EXITED',
    createdAt: '1795000000123456789',
    startedAt: '1795000001000000000',
    finishedAt: '1795000002000000001',
    exitCode: 137,
    reason: 'OOMKilled',
    message: 'm',
    logPath: '/var/log/pods/default_web_uid-1/app/0.log',
    imageId: 'sha256:aa',
    imageRef: 'docker.io/library/app@sha256:bb',
    user: { linux: { uid: '1', gid: '2', supplementalGroups: ['2', '3'] } },
    stopSignal: 'SIGNAL_SIGTERM',
  });
});

test('the image is shown by its tag, else as it was asked for, else by its id', () => {
  const asked = containerConfig({
    image: {
      image: 'sha256:aa',
      annotations: {},
      userSpecifiedImage: 'app',
      runtimeHandler: '',
      imageRef: '',
    },
  });
  const image = (...[over, images]: [Parameters<typeof container>[0], typeof noImages]) =>
    toStatus(container(over), images).image;
  expect(image({ config: asked }, tagged as never)).toEqual({
    image: 'docker.io/library/app:1',
    userSpecifiedImage: 'app',
  });
  expect(image({ config: asked }, noImages)).toMatchObject({ image: 'sha256:aa' });
  expect(image({}, noImages)).toEqual({ image: 'sha256:aa', userSpecifiedImage: '' });
});

test('a list names pod and image by id', () => {
  expect(toListed(container())).toMatchObject({
    id: 'c1',
    podSandboxId: 'pod1',
    imageRef: 'sha256:aa',
    imageId: 'sha256:aa',
    state: 'CONTAINER_RUNNING',
    labels: { role: 'app' },
  });
});

test.each<[Partial<Filter>, boolean]>([
  [{}, true],
  [{ id: 'c1' }, true],
  [{ id: 'c2' }, false],
  [{ podSandboxId: 'pod1' }, true],
  [{ podSandboxId: 'pod2' }, false],
  [{ state: { state: 'CONTAINER_RUNNING' } }, true],
  [{ state: { state: 'CONTAINER_EXITED' } }, false],
  [{ labelSelector: { role: 'app' } }, true],
  [{ labelSelector: { role: 'side' } }, false],
  [{ id: 'c1', podSandboxId: 'pod2' }, false],
])('filter %j: %s', (filter, shown) => {
  const whole = { id: '', podSandboxId: '', state: null, labelSelector: {}, ...filter };
  expect(fits(container(), whole)).toBe(shown);
});

test('without a filter all are shown', () => {
  expect(fits(container(), null)).toBe(true);
});

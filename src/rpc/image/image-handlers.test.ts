import { pino } from 'pino';
import { expect, test } from 'vitest';
import { defaultConfig, defaultRuntimeHandler } from '../../config/schema.ts';
import type { PodSandboxConfig__Output } from '../../gen/runtime/v1/PodSandboxConfig.ts';
import type { Image } from '../../image/image.ts';
import type { Services } from '../services.ts';
import { imageStatus } from './image-status.ts';
import { listImages } from './list-images.ts';
import { pullImage } from './pull-image.ts';
import { removeImage } from './remove-image.ts';
import { streamImages } from './stream-images.ts';

const call = { rpc: 'test', signal: new AbortController().signal, log: pino({ level: 'silent' }) };
const spec = (image: string, runtimeHandler = '') => ({
  image,
  runtimeHandler,
  annotations: {},
  userSpecifiedImage: '',
  imageRef: '',
});

function imageNamed(name: string, user = ''): Image {
  const config = {
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: '',
    user,
    stopSignal: '',
    volumes: [],
    labels: {},
  };
  const target = { mediaType: '', digest: '', size: 1, annotations: {} };
  return {
    id: `sha256:${name}`,
    repoTags: [name],
    repoDigests: [],
    chainId: 'c',
    size: 7,
    config,
    pinned: false,
    names: [name],
    target,
  };
}

/** Handlers' services with some images, and the calls that reached the image service. */
function setUp(list: Image[]) {
  const calls: unknown[] = [];
  const images = {
    store: {
      list: () => list,
      find: (ref: string) => list.find(({ id, names }) => id === ref || names.includes(ref)) ?? null,
      refresh: (name: string) => Promise.resolve(calls.push(`look at ${name}`)),
    },
    pull: (request: unknown) => {
      calls.push(request);
      return Promise.resolve(imageNamed('pulled'));
    },
    remove: (image: Image) => Promise.resolve(calls.push(image.id)),
  };
  const content = { readAll: () => Promise.resolve(Buffer.from('{"os":"linux"}')) };
  const config = {
    ...defaultConfig(),
    runtimes: { runc: defaultRuntimeHandler(), vm: { ...defaultRuntimeHandler(), snapshotter: 'block' } },
  };
  return { calls, needs: { images, containerd: { content }, config } as unknown as Services };
}

test.each([
  ['', { uid: null, username: '' }],
  ['1000:50', { uid: { value: 1000 }, username: '' }],
  ['app', { uid: null, username: 'app' }],
])('user %j of the image', (user, expected) => {
  const { needs } = setUp([imageNamed('a', user)]);
  expect(listImages(needs, { filter: null }).images).toMatchObject([
    { id: 'sha256:a', size: 7, ...expected },
  ]);
});

test('a filter selects by name; a stream brings all in pieces', async () => {
  const { needs } = setUp(Array.from({ length: 2500 }, (_, number) => imageNamed(`i${number}`)));
  expect(listImages(needs, { filter: { image: spec('i7') } }).images?.map(({ id }) => id)).toEqual([
    'sha256:i7',
  ]);
  expect(listImages(needs, { filter: { image: spec('none') } }).images).toEqual([]);
  const sizes: (number | undefined)[] = [];
  for await (const { images } of streamImages(needs, { filter: null })) sizes.push(images?.length);
  expect(sizes).toEqual([1000, 1000, 500]);
});

test('status of an image, verbose on demand, empty for none', async () => {
  const { needs } = setUp([imageNamed('a')]);
  expect(await imageStatus(needs, { image: spec('none'), verbose: true }, call)).toEqual({});
  expect((await imageStatus(needs, { image: spec('a'), verbose: false }, call)).info).toBeUndefined();
  const { info } = await imageStatus(needs, { image: spec('a'), verbose: true }, call);
  expect(JSON.parse(info?.['info'] ?? '')).toMatchObject({ chainID: 'c', imageSpec: { os: 'linux' } });
});

test('the runtime handler decides on the snapshotter', async () => {
  const { needs, calls } = setUp([]);
  const auth = null;
  expect(await pullImage(needs, { image: spec('a'), auth, sandboxConfig: null }, call)).toEqual({
    imageRef: 'sha256:pulled',
  });
  await pullImage(needs, { image: spec('a', 'vm'), auth, sandboxConfig: null }, call);
  expect(calls).toMatchObject([{ snapshotter: 'overlayfs' }, { snapshotter: 'block' }]);
  await expect(pullImage(needs, { image: spec('a', 'no'), auth, sandboxConfig: null }, call)).rejects.toThrow(
    '"no"',
  );
});

test.each([
  ['vm', '', 'block'],
  ['nobody', '', 'overlayfs'],
  ['constructor', '', 'overlayfs'],
  ['vm', 'runc', 'overlayfs'],
])(
  'the pod’s annotation "%s" beside the handler "%s" asks for %s',
  async (annotated, handler, snapshotter) => {
    const { needs, calls } = setUp([]);
    const annotations = { 'io.containerd.cri.runtime-handler': annotated };
    const sandboxConfig = { annotations } as unknown as PodSandboxConfig__Output;
    await pullImage(needs, { image: spec('a', handler), auth: null, sandboxConfig }, call);
    expect(calls).toMatchObject([{ snapshotter }]);
  },
);

test('removing what is gone is a success', async () => {
  const { needs, calls } = setUp([imageNamed('a')]);
  expect(await removeImage(needs, { image: spec('a') })).toEqual({});
  expect(await removeImage(needs, { image: spec('gone') })).toEqual({});
  expect(calls).toEqual(['look at a', 'sha256:a']);
});

test('a request without an image is malformed', async () => {
  const { needs } = setUp([]);
  const malformed = { code: 'invalid_argument' };
  await expect(
    pullImage(needs, { image: null, auth: null, sandboxConfig: null }, call),
  ).rejects.toMatchObject(malformed);
  await expect(imageStatus(needs, { image: spec(''), verbose: false }, call)).rejects.toMatchObject(
    malformed,
  );
  await expect(removeImage(needs, { image: null })).rejects.toMatchObject(malformed);
});

import { expect, test } from 'vitest';
import type { Descriptor } from './descriptor.ts';
import { findImage } from './find-image.ts';

const host = { os: 'linux', architecture: 'amd64', variant: '' };
const digestOf = (name: string) => `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}`;
const descriptor = (name: string): Descriptor => ({
  mediaType: '',
  digest: digestOf(name),
  size: 1,
  annotations: {},
});
const image = (type = 'application/vnd.oci.image.config.v1+json') => ({
  config: { ...descriptor('config'), mediaType: type },
  layers: [],
});
const index = (...entries: [string, string][]) => ({
  manifests: entries.map(([name, architecture]) => ({
    ...descriptor(name),
    platform: { os: 'linux', architecture },
  })),
});

function find(blobs: Record<string, unknown>) {
  const byDigest = new Map(Object.entries(blobs).map(([name, value]) => [digestOf(name), value]));
  return findImage(descriptor('top'), host, ({ digest }) =>
    Promise.resolve(Buffer.from(JSON.stringify(byDigest.get(digest)))),
  );
}

test('a manifest is its own image', async () => {
  expect(await find({ top: image() })).toMatchObject({
    indexes: [],
    descriptor: { digest: digestOf('top') },
  });
});

test('indexes are followed, and what was chosen is told', async () => {
  const found = await find({
    top: index(['arm', 'arm64'], ['inner', 'amd64']),
    inner: index(['mine', 'amd64']),
    mine: image(),
  });
  expect(found.descriptor.digest).toBe(digestOf('mine'));
  expect(found.indexes.map(({ selected }) => selected.digest)).toEqual([digestOf('inner'), digestOf('mine')]);
});

test.each([
  ['a loop', { top: index(['top', 'amd64']) }, 'nested too deeply'],
  ['nothing for us', { top: index(['a', 'arm64'], ['b', 's390x']) }, 'it offers linux/arm64, linux/s390x'],
  ['an empty index', { top: index() }, 'it offers nothing'],
  ['an artifact', { top: image('application/vnd.oci.empty.v1+json') }, 'not a container image'],
])('%s is refused', async (_, blobs, why) => {
  await expect(find(blobs)).rejects.toThrow(why);
  await expect(find(blobs)).rejects.toMatchObject({ code: 'failed_precondition' });
});

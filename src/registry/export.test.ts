import { createHash } from 'node:crypto';
import { expect, it, test } from 'vitest';
import type { Containerd } from '../containerd/client.ts';
import type { Image } from '../image/image.ts';
import { archiveNames, exportArchive } from './export.ts';

const id = `sha256:${'ab'.repeat(32)}`;
const target = `sha256:${'c'.repeat(64)}`;

it.each([
  ['busybox', ['docker.io/library/busybox:latest']],
  ['a.test/b:1', ['a.test/b:1']],
  [`a.test/b:1@${target}`, [`a.test/b@${target}`]],
  [id, []],
  [target, []],
  [id.slice(7), []],
  ['sha256:abab', []],
  ['abab', []],
  ['abba', ['docker.io/library/abba:latest']],
])('%s is called %j in an archive', (ref, names) => {
  expect(archiveNames(ref, { id } as Image)).toEqual(names);
});

test('an image that lacks a layer is refused before the first byte', async () => {
  const lost = `sha256:${'0'.repeat(64)}`;
  const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: id, size: 2 };
  const manifest = Buffer.from(JSON.stringify({ config: descriptor, layers: [{ digest: lost, size: 1 }] }));
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  const content = {
    readAll: async () => manifest,
    info: async (asked: string) => (asked === lost ? null : { digest: asked }),
  } as unknown as Containerd['content'];
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const image = { target: { mediaType, digest, size: manifest.length, annotations: {} } } as Image;
  const archive = exportArchive({ content }, [{ image, names: [] }], new AbortController().signal);
  await expect(archive.next()).rejects.toMatchObject({
    code: 'failed_precondition',
    message: `${lost} is not in containerd; pull the image again`,
  });
});

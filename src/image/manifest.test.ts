import { expect, test } from 'vitest';
import { childLabels, isImageConfigType, parseManifest, unpackType } from './manifest.ts';

const digest = `sha256:${'d'.repeat(64)}`;
const oci = 'application/vnd.oci.image.manifest.v1+json';
const docker = 'application/vnd.docker.distribution.manifest.v2+json';
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 3 };
const parse = (value: unknown, stated = '') => parseManifest(Buffer.from(JSON.stringify(value)), stated);

test.each([
  [{ config, layers: [layer] }, '', oci],
  [{ config, layers: [layer] }, docker, docker],
  [{ config, layers: [layer], mediaType: docker }, 'application/json', docker],
  [{ config, layers: [layer] }, 'text/plain', oci],
])('%j stated as %j has type %s', (value, stated, mediaType) => {
  expect(parse(value, stated)).toEqual({
    kind: 'manifest',
    mediaType,
    config: { ...config, annotations: {} },
    layers: [{ ...layer, annotations: {}, urls: [] }],
  });
});

test('a layer keeps the places where else it is', () => {
  const urls = ['https://foreign.test/layer', 7];
  const parsed = parse({ config, layers: [{ ...layer, urls }] });
  expect(parsed).toMatchObject({ layers: [{ urls: ['https://foreign.test/layer'] }] });
});

test('an index keeps the platforms', () => {
  const manifests = [{ ...layer, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }, layer];
  const parsed = parse({ manifests }, 'application/vnd.docker.distribution.manifest.list.v2+json');
  expect(parsed).toMatchObject({
    kind: 'index',
    mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json',
    entries: [{ platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }, { platform: null }],
  });
});

test.each([
  ['schema 1 by version', { schemaVersion: 1, fsLayers: [] }, 'Docker schema 1'],
  [
    'schema 1 by type',
    { mediaType: 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
    'Docker schema 1',
  ],
  ['something else', {}, 'neither an image manifest nor an index'],
  ['no object', null, 'not a JSON object'],
  ['no config', { layers: [] }, 'config has no valid digest'],
  [
    'a bad layer',
    { config, layers: [layer, { ...layer, digest: 'sha256:../../x' }] },
    'layer 1 has no valid digest',
  ],
  ['a bad size', { config, layers: [{ ...layer, size: -1 }] }, 'layer 0 has no valid size'],
])('%s is refused', (_, value, why) => {
  expect(() => parse(value)).toThrow(why);
  expect(() => parse(value)).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
});

test.each([
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'application/vnd.oci.image.layer.v1.tar+gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'application/vnd.oci.image.layer.v1.tar+zstd'],
  [
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    'application/vnd.oci.image.layer.v1.tar+gzip',
  ],
  ['application/vnd.docker.image.rootfs.diff.tar', 'application/vnd.oci.image.layer.v1.tar'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'application/vnd.oci.image.layer.v1.tar+gzip'],
  [
    'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
    'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
  ],
])('%s is unpacked as %s', (mediaType, unpacked) => {
  expect(unpackType(mediaType)).toBe(unpacked);
});

test('garbage collection is told of config and layers', () => {
  const parsed = parse({ config, layers: [layer, layer] });
  expect(parsed.kind === 'manifest' && childLabels(parsed)).toEqual({
    'containerd.io/gc.ref.content.config': digest,
    'containerd.io/gc.ref.content.l.0': digest,
    'containerd.io/gc.ref.content.l.1': digest,
  });
});

test('artifacts are told from images by their config', () => {
  expect(isImageConfigType(config.mediaType)).toBe(true);
  expect(isImageConfigType('application/vnd.oci.empty.v1+json')).toBe(false);
});

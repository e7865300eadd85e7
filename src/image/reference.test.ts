import { expect, test } from 'vitest';
import { formatReference, objectOf, parseReference, repositoryOf } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test.each([
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['library/busybox', 'docker.io/library/busybox:latest'],
  ['user/app', 'docker.io/user/app:latest'],
  ['index.docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app', 'localhost:5000/app:latest'],
  ['localhost:5000/a/b/c:v1', 'localhost:5000/a/b/c:v1'],
  ['127.0.0.1:5000/app', '127.0.0.1:5000/app:latest'],
  ['[::1]:5000/app:x', '[::1]:5000/app:x'],
  ['[fd00::1]/app', '[fd00::1]/app:latest'],
  ['registry.k8s.io/pause:3.10.1', 'registry.k8s.io/pause:3.10.1'],
  ['REGISTRY/app', 'REGISTRY/app:latest'],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`],
  [`busybox:1.36@${digest}`, `docker.io/library/busybox:1.36@${digest}`],
  [`[fd00::1]:5000/app@${digest}`, `[fd00::1]:5000/app@${digest}`],
  [`example.test/a__b-c.d:T_1@${digest}`, `example.test/a__b-c.d:T_1@${digest}`],
])('%s is %s', (text, full) => {
  const reference = parseReference(text);
  expect(formatReference(reference)).toBe(full);
  expect(parseReference(full)).toEqual(reference);
});

test('the digest is what the registry is asked for, the tag only without one', () => {
  expect(objectOf(parseReference('a:1'))).toBe('1');
  expect(objectOf(parseReference(`a:1@${digest}`))).toBe(digest);
  expect(repositoryOf(parseReference(`a:1@${digest}`))).toBe('docker.io/library/a');
});

test.each([
  ['', 'empty'],
  ['Busybox', 'lower case'],
  ['example.test/App', 'lower case'],
  ['busybox:', '"" is not a valid tag'],
  ['busybox:-x', '"-x" is not a valid tag'],
  [`busybox:${'t'.repeat(129)}`, 'is not a valid tag'],
  ['busybox@sha256:abc', '"sha256:abc" is not a digest'],
  [`busybox@${digest.toUpperCase()}`, 'is not a digest'],
  ['busybox@', '"" is not a digest'],
  ['example.test/', 'the repository is missing'],
  ['example.test/a//b', 'repository part "" is not valid'],
  ['example.test/-a', 'repository part "-a" is not valid'],
  ['example.test:99999/a', 'port 99999 is out of range'],
  ['-x.test/a', '"-x.test" is not a valid registry host'],
  ['[::1/a', '"[::1" is not a valid registry host'],
  ['https://example.test/a', '"https:" is not a valid registry host'],
  [`example.test/${'a'.repeat(260)}`, 'over 255 characters'],
  ['[::1]:x/a', '"[::1]:x" is not a valid registry host'],
  ['f'.repeat(64), 'it is an image id'],
  ['a b', 'repository part "a b" is not valid'],
])('%j is refused: %s', (text, part) => {
  expect(() => parseReference(text)).toThrow(part);
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
});

import { expect, test } from 'vitest';
import { formatPlatform, hostPlatform, parsePlatform, selectEntry } from './platform.ts';

const entry = (text: string | null) => {
  const [os = '', architecture = '', variant = ''] = text?.split('/') ?? [];
  return { text, platform: text === null ? null : { os, architecture, variant } };
};

test.each([
  ['x64', 'linux/amd64'],
  ['arm64', 'linux/arm64/v8'],
  ['arm', 'linux/arm/v7'],
  ['s390x', 'linux/s390x'],
])('node calls it %s, images %s', (arch, text) => {
  expect(formatPlatform(hostPlatform(arch))).toBe(text);
});

test.each<[string, (string | null)[], string | null | undefined]>([
  ['x64', ['linux/arm64/v8', 'linux/amd64'], 'linux/amd64'],
  ['x64', ['windows/amd64', 'linux/amd64/v3', 'linux/amd64/v1'], 'linux/amd64/v1'],
  ['x64', ['linux/amd64/v3', 'unknown/unknown'], undefined],
  ['arm64', ['linux/arm64', 'linux/arm64/v8'], 'linux/arm64/v8'],
  ['arm64', ['linux/arm/v7', 'linux/arm64'], 'linux/arm64'],
  ['arm', ['linux/arm/v5', 'linux/arm/v6'], 'linux/arm/v6'],
  ['x64', [null, 'linux/amd64'], 'linux/amd64'],
  ['x64', ['linux/arm64', null], null],
  ['x64', [], undefined],
])('on %s, of %j: %j', (arch, entries, chosen) => {
  expect(selectEntry(entries.map(entry), hostPlatform(arch))?.text).toBe(chosen);
});

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['linux/x86_64', 'linux/amd64'],
  ['Linux/aarch64', 'linux/arm64/v8'],
  ['linux/arm/v6', 'linux/arm/v6'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
])('%s is read as %s', (text, read) => {
  expect(formatPlatform(parsePlatform(text))).toBe(read);
});

test.each(['', 'linux', 'linux/', 'amd64', '/amd64', 'linux/arm/v7/x', 'linux/a b', 'windows/amd64'])(
  '%j is no platform to pull for',
  (text) => {
    expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  },
);

test.each([
  ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v3'], 'linux/amd64/v3'],
  ['linux/amd64/v3', ['linux/amd64'], 'linux/amd64'],
  ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'], 'linux/arm/v5'],
  ['linux/arm64', ['linux/amd64', 'linux/arm64'], 'linux/arm64'],
])('for %s, of %j: %s', (wanted, entries, chosen) => {
  expect(selectEntry(entries.map(entry), parsePlatform(wanted))?.text).toBe(chosen);
});

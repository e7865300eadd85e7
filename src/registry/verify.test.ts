import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { verifyImage } from './verify.ts';

const log = pino({ level: 'silent' });
const signal = new AbortController().signal;
const digest = `sha256:${'a'.repeat(64)}`;
const target = { mediaType: 'application/vnd.oci.image.index.v1+json', digest, size: 7, annotations: {} };
const image = { name: 'a.test/b:1', target };

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-verify-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

function verifier(name: string, script: string, mode = 0o755): void {
  writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, name), mode);
}

const verify = (settings: object = {}) => {
  const config = { verifierDir: dir, verifierTimeoutMs: 5_000, maxVerifiers: 2, ...settings };
  return verifyImage({ config, log }, image, signal);
};

test('each is told the name, the digest and the descriptor', async () => {
  const out = join(dir, '..', `${dir.split('/').at(-1)}.out`);
  try {
    verifier('one', `{ echo "$@"; cat; echo; } >> ${out}`);
    verifier('two', `echo two >> ${out}`);
    await verify();
    const [args, input, last] = readFileSync(out, 'utf8').split('\n');
    expect(args).toBe(
      `-name a.test/b:1 -digest ${digest} -stdin-media-type application/vnd.oci.descriptor.v1+json`,
    );
    expect(JSON.parse(input ?? '')).toEqual({ mediaType: target.mediaType, digest, size: 7 });
    expect(last).toBe('two');
  } finally {
    rmSync(out, { force: true });
  }
});

it.each([
  ['its reason', 'echo no signature; exit 1', 'bad: no signature'],
  ['its exit code where it has none', 'exit 3', 'bad: exit code 3'],
  ['the signal that ended it', 'kill -9 $$', 'bad: ended by SIGKILL'],
])('a refusal tells %s, and no other verifier is asked', async (_, script, why) => {
  verifier('bad', script);
  verifier('later', `touch ${dir}/asked`);
  await expect(verify()).rejects.toMatchObject({
    code: 'permission_denied',
    message: `SignatureValidationFailed: a.test/b:1: ${why}`,
  });
  expect(readdirSync(dir)).toEqual(['bad', 'later']);
});

test('one that does not answer in time refuses', async () => {
  verifier('slow', 'sleep 30');
  await expect(verify({ verifierTimeoutMs: 50 })).rejects.toThrow(
    /^SignatureValidationFailed: .*\/slow: no end after 50 ms/,
  );
});

test('one that cannot be run refuses', async () => {
  verifier('text', 'exit 0', 0o644);
  await expect(verify()).rejects.toThrow(/^SignatureValidationFailed: .*EACCES/);
});

test('more than may be asked refuse, and so does a directory that is not there', async () => {
  for (const name of ['a', 'b', 'c']) verifier(name, 'exit 0');
  await expect(verify()).rejects.toThrow('has 3 files, but max_verifiers is 2');
  await expect(verify({ verifierDir: join(dir, 'none') })).rejects.toThrow('is not there');
});

test('none to ask is no refusal', async () => {
  await verify();
  await verify({ verifierDir: '' });
});

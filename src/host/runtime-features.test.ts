import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRuntimeFeatures } from './runtime-features.ts';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'features-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function program(name: string, script: string): string {
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('the document that the runtime prints', async () => {
  const path = program('good', '[ "$*" = features ] && echo \'{"mountOptions":["rro"]}\'');
  expect(await readRuntimeFeatures(path)).toEqual({ mountOptions: ['rro'] });
});

test.each([
  ['knows no such command', 'echo "No help topic for features" >&2; exit 3', /exit code 3: No help topic/],
  ['prints something else', 'echo hello', /JSON/],
])('a runtime that %s', async (name, script, message) => {
  await expect(readRuntimeFeatures(program(name.replaceAll(' ', '-'), script))).rejects.toThrow(message);
});

test('no runtime', async () => {
  await expect(readRuntimeFeatures(join(dir, 'none'))).rejects.toMatchObject({ code: 'not_found' });
});

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readSelinuxContexts, relabel } from './selinux.ts';
import { attribute } from './syscalls.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-selinux-'));
});

afterEach(() => rmSync(dir, { recursive: true }));

/** Writes the files of a policy. */
function policy(config: string, contexts: string): void {
  mkdirSync(join(dir, 'selinux/targeted/contexts'), { recursive: true });
  writeFileSync(join(dir, 'selinux/config'), config);
  writeFileSync(join(dir, 'selinux/targeted/contexts/lxc_contexts'), contexts);
}

const labelOf = (path: string): string => attribute(path, 'security.selinux');

describe('the contexts of containers', () => {
  const CONTEXTS =
    'process = "u:r:container_t:s0"\nfile = "u:object_r:container_file_t:s0"\nro_file="u:object_r:ro:s0"\n';

  test('are those of the policy that is configured', async () => {
    policy('# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n', CONTEXTS);
    expect(await readSelinuxContexts(dir)).toEqual({
      process: 'u:r:container_t:s0',
      file: 'u:object_r:container_file_t:s0',
    });
  });

  test.each([
    ['no policy', 'SELINUX=disabled\n', CONTEXTS],
    ['another one, which is not there', 'SELINUXTYPE=minimum\n', CONTEXTS],
    ['one without containers', 'SELINUXTYPE=targeted\n', 'process = "u:r:t:s0"\n'],
  ])('are none with %s', async (_, config, contexts) => {
    policy(config, contexts);
    expect(await readSelinuxContexts(dir)).toBeNull();
  });

  test('are none without any file', async () => {
    expect(await readSelinuxContexts(dir)).toBeNull();
  });
});

// Without SELinux the kernel stores what root writes there, and asks no policy about it.
describe.skipIf(process.getuid?.() !== 0)('relabel', () => {
  const LABEL = 'system_u:object_r:container_file_t:s0:c1,c2';

  test('labels all that is in a directory, and not what links lead to', async () => {
    const tree = join(dir, 'tree');
    mkdirSync(join(tree, 'below'), { recursive: true });
    writeFileSync(join(tree, 'below/file'), '');
    writeFileSync(join(dir, 'outside'), '');
    symlinkSync('../outside', join(tree, 'link'));
    await relabel(tree, LABEL);
    await relabel(tree, LABEL);
    for (const path of ['', 'below', 'below/file', 'link']) {
      expect(labelOf(join(tree, path)), path).toBe(`${LABEL}\0`);
    }
    expect(labelOf(join(dir, 'outside'))).not.toBe(`${LABEL}\0`);
  });

  test.each(['/', '/etc', '/var/lib', '/usr'])('%s is refused', async (path) => {
    await expect(relabel(path, LABEL)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('what is not there is named', async () => {
    await expect(relabel(join(dir, 'none'), LABEL)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining(join(dir, 'none')),
    });
  });
});

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';

const run = (file: string, args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, file), ...args]);
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
};

describe('start.ts', () => {
  it.each([[['--version']], [['config', 'default']], [['--no-such-option']]])(
    '%j is as main.ts does it',
    (args) => {
      expect(run('start.ts', args)).toEqual(run('main.ts', args));
    },
  );

  test('leaves a compile cache behind', () => {
    run('start.ts', ['--version']);
    expect(existsSync(join(import.meta.dirname, '../node_modules/.cache/cristal'))).toBe(true);
  });
});

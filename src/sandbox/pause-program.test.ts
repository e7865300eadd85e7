import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test, vi } from 'vitest';
import { pauseProgram } from './pause-program.ts';

const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];

test('it is a runnable program that sleeps, and ignores SIGCHLD', async () => {
  const dir = mkdtempSync(`${tmpdir()}/pause-`);
  try {
    writeFileSync(`${dir}/pause`, pauseProgram(process.arch));
    chmodSync(`${dir}/pause`, 0o755);
    const child = spawn(`${dir}/pause`, { stdio: 'ignore' });
    const exited = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    const pid = child.pid ?? 0;
    await vi.waitFor(() => {
      const ignored = /SigIgn:\s+(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
      expect(BigInt(`0x${ignored}`) & (1n << 16n)).not.toBe(0n);
      expect(stateOf(pid)).toBe('S');
    });
    child.kill('SIGKILL');
    expect(await exited).toBe('SIGKILL');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('the code for arm64 is what its assembler would make of it', () => {
  const program = pauseProgram('arm64');
  const words = Array.from({ length: 14 }, (_, i) => program.readUInt32LE(120 + 4 * i).toString(16));
  const data = 0x400000 + 120 + 14 * 4;
  expect(words).toEqual([
    'd28010c8', // mov x8, #134
    'd2800220', // mov x0, #17
    (0xd2800001 + ((data & 0xffff) << 5)).toString(16), // mov x1, #low
    'f2a00801', // movk x1, #0x40, lsl 16
    'd2800002', // mov x2, #0
    'd2800103', // mov x3, #8
    'd4000001', // svc 0
    'd2800000', // mov x0, #0
    'd2800001', // mov x1, #0
    'd2800002', // mov x2, #0
    'd2800003', // mov x3, #0
    'd2800928', // mov x8, #73
    'd4000001', // svc 0
    '17fffffa', // b -6
  ]);
});

test('an architecture that we have no code for is refused', () => {
  expect(() => pauseProgram('mips')).toThrow(/no pause program for mips/);
});

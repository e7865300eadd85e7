import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFifo } from '../host/fifo.ts';
import { fifoDirectory } from '../host/testing/fifo-directory.ts';
import { StdinKeeper } from './stdin.ts';

const root = fifoDirectory('stdin');
const path = join(root, 'stdin');

/** What the shim's end reads: text, 'end', or 'nothing yet'. */
function reader() {
  makeFifo(path);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(100);
  const read = (): string => {
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer)) || 'end';
    } catch {
      return 'nothing yet';
    }
  };
  return { read, [Symbol.dispose]: () => closeSync(fd) };
}

test('stdin stays open while writers come and go', async () => {
  using keeper = new StdinKeeper();
  using shim = reader();
  keeper.open('c', path);
  const first = keeper.writer('c');
  first?.end('one');
  await expect.poll(shim.read).toBe('one');
  await expect.poll(() => first?.destroyed).toBe(true);
  expect(shim.read()).toBe('nothing yet');
  keeper.writer('c')?.write('two');
  await expect.poll(shim.read).toBe('two');
  keeper.close('c');
  await expect.poll(shim.read).toBe('end');
  expect(keeper.writer('c')).toBeNull();
  expect(existsSync(path)).toBe(true);
});

test('once ended it stays so, through a restart too', async () => {
  using keeper = new StdinKeeper();
  using shim = reader();
  keeper.open('c', path);
  const other = keeper.writer('c');
  expect(await keeper.end('c')).toBe(true);
  expect(await keeper.end('c')).toBe(false);
  await expect.poll(shim.read).toBe('end');
  expect(other?.destroyed).toBe(true);
  using next = new StdinKeeper();
  next.open('c', path);
  expect(next.writer('c')).toBeNull();
});

test('disposing closes all', () => {
  using shim = reader();
  const keeper = new StdinKeeper();
  keeper.open('c', path);
  keeper[Symbol.dispose]();
  expect(shim.read()).toBe('end');
});

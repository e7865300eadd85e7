import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { openFiles, openFilesLimit } from './process-usage.ts';

test('open files and sockets of a process, and how many it may have', async () => {
  const fd = openSync('/proc/self/status', 'r');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const targets = [...openFiles(process.pid)];
  expect(targets).toContain(`/proc/${process.pid}/status`);
  expect(targets.some((target) => target.startsWith('socket:['))).toBe(true);
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  expect(openFilesLimit(process.pid)).toBe(Number(soft));
  closeSync(fd);
  server.close();
});

test('a process that is gone has none', () => {
  const none = 2 ** 30;
  expect([...openFiles(none)]).toEqual([]);
  expect(openFilesLimit(none)).toBeNull();
});

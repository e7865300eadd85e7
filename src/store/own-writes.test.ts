import { expect, test } from 'vitest';
import { OwnWrites } from './own-writes.ts';

test('one event of each write is ours, before its answer or after it', () => {
  const writes = new OwnWrites();
  const early = writes.begin('a');
  expect(writes.takes('b')).toBe(false);
  expect(writes.takes('a')).toBe(true);
  writes.succeeded(early);
  expect(early.overtaken).toBe(false);
  expect(writes.takes('a')).toBe(false);

  writes.succeeded(writes.begin('a'));
  writes.succeeded(writes.begin('a'));
  expect([writes.takes('a'), writes.takes('a'), writes.takes('a')]).toEqual([true, true, false]);
});

test('a write whose answer comes after news of another is told so', () => {
  const writes = new OwnWrites();
  const write = writes.begin('a');
  writes.takes('a');
  expect(write.overtaken).toBe(false);
  expect(writes.takes('a')).toBe(false);
  expect(write.overtaken).toBe(true);
});

test('a failed write waits for no event, and tells whether it had one', () => {
  const writes = new OwnWrites();
  expect(writes.failed(writes.begin('a'))).toBe(false);
  expect(writes.takes('a')).toBe(false);
  const write = writes.begin('a');
  expect(writes.takes('a')).toBe(true);
  expect(writes.failed(write)).toBe(true);
});

test('an event that was lost hides no later one for long', () => {
  let now = 0;
  const writes = new OwnWrites(() => now);
  writes.succeeded(writes.begin('a'));
  now = 4_999;
  writes.succeeded(writes.begin('b'));
  now = 5_000;
  expect(writes.takes('a')).toBe(false);
  expect(writes.takes('b')).toBe(true);
});

test('after a reset every event is news, and answers on their way are old', () => {
  const writes = new OwnWrites();
  writes.succeeded(writes.begin('a'));
  const write = writes.begin('b');
  writes.reset();
  expect(write.overtaken).toBe(true);
  expect([writes.takes('a'), writes.takes('b')]).toEqual([false, false]);
  writes.succeeded(write);
  expect(writes.takes('b')).toBe(false);
});

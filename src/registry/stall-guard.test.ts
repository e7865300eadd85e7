import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startStallGuard } from './stall-guard.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;
const forever = () => new Promise<void>(() => {});

test('any byte is enough without a rate, none is not', () => {
  using guard = startStallGuard('pull of x', { ms: 1_000, minRate: 0 }, never);
  void guard.watch(forever);
  vi.advanceTimersByTime(999);
  guard.progress(1);
  vi.advanceTimersByTime(999);
  expect(guard.signal.aborted).toBe(false);
  vi.advanceTimersByTime(50);
  expect(guard.signal.reason).toMatchObject({
    code: 'unavailable',
    message: 'RegistryUnavailable: pull of x: no data for 1 s',
  });
});

test('below the rate it ends, though bytes come', () => {
  using guard = startStallGuard('pull of x', { ms: 2_000, minRate: 100 }, never);
  void guard.watch(forever);
  for (let tenth = 0; tenth < 100; tenth++) {
    vi.advanceTimersByTime(100);
    guard.progress(11);
  }
  expect(guard.signal.aborted).toBe(false);
  for (let second = 0; second < 3; second++) {
    vi.advanceTimersByTime(1_000);
    guard.progress(40);
  }
  const message = 'RegistryUnavailable: pull of x: under 100 bytes a second for 2 s';
  expect(guard.signal.reason).toMatchObject({ message });
});

test('a pull just above the rate goes on, however its bytes are bundled', () => {
  using guard = startStallGuard('pull of x', { ms: 2_000, minRate: 100 }, never);
  void guard.watch(forever);
  for (let bundle = 0; bundle < 20; bundle++) {
    guard.progress(120);
    vi.advanceTimersByTime(1_000);
  }
  expect(guard.signal.aborted).toBe(false);
});

test('a flood counts for its own window, and does not hide the silence after it', () => {
  using guard = startStallGuard('pull of x', { ms: 1_000, minRate: 100 }, never);
  void guard.watch(forever);
  vi.advanceTimersByTime(500);
  guard.progress(1_000_000);
  vi.advanceTimersByTime(900);
  expect(guard.signal.aborted).toBe(false);
  vi.advanceTimersByTime(150);
  expect(guard.signal.aborted).toBe(true);
});

test('time in which nothing is fetched does not count, and no time after the end', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const guard = startStallGuard('pull of x', { ms: 1_000, minRate: 0 }, never);
  vi.advanceTimersByTime(5_000);
  const both = [guard.watch(() => promise), guard.watch(() => promise)];
  vi.advanceTimersByTime(900);
  resolve();
  await Promise.all(both);
  vi.advanceTimersByTime(5_000);
  void guard.watch(forever);
  vi.advanceTimersByTime(900);
  guard[Symbol.dispose]();
  vi.advanceTimersByTime(5_000);
  expect(guard.signal.aborted).toBe(false);
});

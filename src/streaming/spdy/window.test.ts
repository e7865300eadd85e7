import { describe, expect, it, test } from 'vitest';
import { INITIAL_WINDOW, PeerHabit, ReceiveWindow, SendWindow } from './window.ts';

/** Lets a peer send in chunks of `size`, everything consumed at once. Returns the updates it got. */
function updatesFor(size: number, chunks: number, habit: PeerHabit): number[] {
  const window = new ReceiveWindow(habit);
  return Array.from({ length: chunks }, () => {
    window.received(size);
    return window.consumed(size);
  }).filter((update) => update > 0);
}

describe('a peer that does not count', () => {
  it.each([
    [32 * 1024, 1],
    [64 * 1024, 1],
    [1000, 0],
    [1024 * 1024, 0],
  ])('and sends in chunks of %i bytes gets %i updates in 1000 chunks', (size, updates) => {
    const habit = new PeerHabit();
    expect(updatesFor(size, 1000, habit)).toHaveLength(updates);
    expect(habit.state).toBe('ignores');
  });

  test('gets none even after it has named a window', () => {
    const habit = new PeerHabit();
    habit.showedCounting();
    habit.overran();
    habit.showedCounting();
    expect(updatesFor(32 * 1024, 10, habit)).toEqual([]);
  });
});

test('a peer that has named a window gets back what was consumed, by half windows', () => {
  const habit = new PeerHabit();
  habit.showedCounting();
  expect(updatesFor(10_000, 7, habit)).toEqual([40_000]);
});

test('a peer that says nothing but counts is found out where it stops', () => {
  const habit = new PeerHabit();
  const window = new ReceiveWindow(habit);
  window.received(INITIAL_WINDOW);
  const probe = window.consumed(INITIAL_WINDOW);
  expect(probe).toBe(INITIAL_WINDOW - 1);
  expect(habit.state).toBe('unknown');
  window.received(probe);
  expect(habit.state).toBe('counts');
  expect(window.consumed(probe)).toBe(INITIAL_WINDOW);
});

test('a peer gets nothing back for what its reader has not taken', () => {
  const habit = new PeerHabit();
  habit.showedCounting();
  const window = new ReceiveWindow(habit);
  window.received(INITIAL_WINDOW);
  expect(window.consumed(100)).toBe(0);
  expect(window.consumed(INITIAL_WINDOW / 2)).toBe(INITIAL_WINDOW / 2 + 100);
});

test('a send window may shrink below nothing, and not grow beyond 2^31 - 1', () => {
  const window = new SendWindow(INITIAL_WINDOW);
  window.take(INITIAL_WINDOW);
  expect(window.grow(-100)).toBe(true);
  expect(window.left).toBe(-100);
  expect(window.grow(0x7fffffff)).toBe(true);
  expect(window.grow(101)).toBe(false);
});

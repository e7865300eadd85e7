import { expect, test } from 'vitest';
import { Tokens } from './tokens.ts';

function withClock() {
  const clock = { now: 0 };
  return { clock, tokens: new Tokens<string>(() => clock.now) };
}

test('a token finds its value until it is removed', () => {
  const { tokens } = withClock();
  const token = tokens.insert('ls');
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(tokens.peek(token)).toBe('ls');
  expect(tokens.peek(token)).toBe('ls');
  tokens.remove(token);
  expect(tokens.peek(token)).toBeNull();
});

test('a token lives for one minute', () => {
  const { clock, tokens } = withClock();
  const token = tokens.insert('ls');
  clock.now = 59_999;
  expect(tokens.peek(token)).toBe('ls');
  clock.now = 60_000;
  expect(tokens.peek(token)).toBeNull();
});

test.each(['', 'x', 'A'.repeat(43), 'A'.repeat(44), '../../etc/passwd', 'constructor'])(
  '%j was never handed out',
  (invented) => {
    const { tokens } = withClock();
    tokens.insert('ls');
    expect(tokens.peek(invented)).toBeNull();
  },
);

test('tokens do not repeat', () => {
  const { tokens } = withClock();
  const all = Array.from({ length: 1_000 }, (_, index) => tokens.insert(String(index)));
  expect(new Set(all).size).toBe(1_000);
});

test('the number of those that wait is bounded, and expiry frees them', () => {
  const { clock, tokens } = withClock();
  const first = tokens.insert('first');
  clock.now = 30_000;
  const others = Array.from({ length: 999 }, () => tokens.insert('other'));
  expect(() => tokens.insert('one too many')).toThrow(
    expect.objectContaining({ code: 'resource_exhausted' }),
  );
  clock.now = 60_000;
  tokens.insert('in the place of the first');
  expect(tokens.peek(first)).toBeNull();
  expect(tokens.peek(others[0] ?? '')).toBe('other');
  expect(() => tokens.insert('one too many')).toThrow();
  tokens.remove(others[0] ?? '');
  expect(tokens.insert('in the place of the used one')).not.toBe('');
});

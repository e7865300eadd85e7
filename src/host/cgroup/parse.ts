import type { IoCount, Pressure, PressureLine } from './usage.ts';

/** Above this a limit is none: the kernel rounds "unlimited" down to whole pages. */
const UNLIMITED = 2 ** 62;

/** The number that is all of a file's text. Null for "max", which is how v2 says "no limit". */
export function numberIn(text: string | null): number | null {
  if (text === null) return null;
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? null : value;
}

/** As `numberIn`, for a limit: an enormous or negative one is none. */
export function limitIn(text: string | null): number | null {
  const value = numberIn(text);
  return value === null || value >= UNLIMITED || value < 0 ? null : value;
}

/** The number that is all of a file's text, at full precision. */
export function bigintIn(text: string | null): bigint | null {
  const digits = text?.trim() ?? '';
  return /^\d+$/.test(digits) ? BigInt(digits) : null;
}

/** The digits behind `key` in a file of lines "key value", null where it has no such line. */
export function fieldIn(text: string, key: string): string | null {
  // Searched for, not split up: memory.stat has some forty lines, of which five are wanted.
  const line = `${key} `;
  const start = text.startsWith(line) ? 0 : text.indexOf(`\n${line}`) + 1;
  if (start === 0 && !text.startsWith(line)) return null;
  const end = text.indexOf('\n', start);
  return text.slice(start + line.length, end < 0 ? text.length : end);
}

/** As `fieldIn`, for a count that is 0 where the kernel does not keep it. */
export function countIn(text: string, key: string): number {
  return numberIn(fieldIn(text, key)) ?? 0;
}

/** Microseconds behind `key`, as nanoseconds. */
export function nsIn(text: string, key: string): bigint {
  return (bigintIn(fieldIn(text, key)) ?? 0n) * 1_000n;
}

/** A `*.pressure` file. Null for one that is missing or of another form. */
export function pressureIn(text: string | null): Pressure | null {
  if (text === null) return null;
  const some = pressureLine(text, 'some');
  return some && { some, full: pressureLine(text, 'full') };
}

function pressureLine(text: string, name: 'some' | 'full'): PressureLine | null {
  const rest = fieldIn(text, name);
  const found = /avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)/.exec(rest ?? '');
  if (!found) return null;
  const [, avg10, avg60, avg300, total = '0'] = found;
  // The kernel counts in microseconds.
  const totalNs = BigInt(total) * 1_000n;
  return { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), totalNs };
}

/** v2's io.stat: a line for each device, "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …", or "8:0 " where nothing happened. */
export function ioStatIn(text: string | null): IoCount[] {
  return [...(text ?? '').matchAll(/^(\d+):(\d+) (.*=.*)$/gm)].flatMap(([, major, minor, rest = '']) => {
    const value = (key: string) => Number(new RegExp(`\\b${key}=(\\d+)`).exec(rest)?.[1] ?? 0);
    const device = { major: Number(major), minor: Number(minor) };
    return [
      { ...device, operation: 'Read', bytes: value('rbytes'), operations: value('rios') },
      { ...device, operation: 'Write', bytes: value('wbytes'), operations: value('wios') },
    ];
  });
}

/** v1's pair of blkio files, each with lines such as "8:0 Read 4096". */
export function blkioIn(bytesText: string | null, operationsText: string | null): IoCount[] {
  const operations = new Map(blkioLines(operationsText));
  return blkioLines(bytesText).map(([key, bytes]) => {
    const [device = '', operation] = key.split(' ');
    const [major, minor] = device.split(':');
    return {
      major: Number(major),
      minor: Number(minor),
      operation: operation === 'Read' ? 'Read' : 'Write',
      bytes,
      operations: operations.get(key) ?? 0,
    };
  });
}

function blkioLines(text: string | null): [string, number][] {
  return [...(text ?? '').matchAll(/^(\d+:\d+ (?:Read|Write)) (\d+)$/gm)].map(([, key = '', value]) => [
    key,
    Number(value),
  ]);
}

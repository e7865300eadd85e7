import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Fault } from '../lib/fault.ts';
import { terminalSizer } from './resize.ts';

function sizer(fault: Fault | null = null) {
  const set: object[] = [];
  const waiting: (() => void)[] = [];
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) });
  const resizePty = async (target: object) => {
    set.push(target);
    await new Promise<void>((resolve) => waiting.push(resolve));
    if (fault) throw fault;
  };
  const resize = terminalSizer({ tasks: { resizePty }, log }, { containerId: 'c', execId: 'e' });
  const next = async () => {
    waiting.shift()?.();
    await turn();
  };
  return { set, logged, resize, next };
}

const size = (width: number, height: number) => ({ width, height });

test('one at a time, and of those that came meanwhile only the last', async () => {
  const { set, resize, next } = sizer();
  for (const width of [80, 90, 100]) resize(size(width, 24));
  expect(set).toEqual([{ containerId: 'c', execId: 'e', width: 80, height: 24 }]);
  await next();
  expect(set.slice(1)).toEqual([{ containerId: 'c', execId: 'e', width: 100, height: 24 }]);
  await next();
  resize(size(60, 20));
  expect(set.length).toBe(3);
});

test.each([
  ['not_found', []],
  ['unavailable', ['could not resize terminal']],
] as const)('after %s it goes on, and logs %j', async (code, expected) => {
  const { set, logged, resize, next } = sizer(new Fault(code, 'no'));
  resize(size(80, 24));
  resize(size(90, 24));
  await next();
  expect(set.length).toBe(2);
  expect(logged).toEqual(expected);
});

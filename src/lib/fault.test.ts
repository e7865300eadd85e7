import { expect, test } from 'vitest';
import { codeOf, during, Fault, innerFault, isCode, messageOf } from './fault.ts';

const named = (name: string) => Object.assign(new Error('over'), { name });

test.each([
  ['a Fault', new Fault('not_found', 'gone'), 'not_found'],
  ['an abort', named('AbortError'), 'cancelled'],
  ['a time-out', named('TimeoutError'), 'deadline_exceeded'],
  ['any error', new TypeError('x is null'), 'internal'],
  ['no error at all', 'text', 'internal'],
])('the code of %s', (_name, error, code) => {
  expect(codeOf(error)).toBe(code);
  expect(isCode(error, 'not_found')).toBe(code === 'not_found');
});

test('during puts the step before the cause and keeps its code, unless told another', () => {
  const cause = new Fault('unavailable', 'no answer');
  expect(during('read config', cause)).toMatchObject({
    code: 'unavailable',
    message: 'read config: no answer',
    cause,
  });
  expect(during('read config', cause, 'internal').code).toBe('internal');
  expect(during('read config', 'odd').message).toBe('read config: odd');
});

test('only not_found is hidden on the way out', () => {
  const gone = new Fault('not_found', 'no such snapshot');
  const busy = new Fault('failed_precondition', 'busy');
  expect(innerFault(gone)).toMatchObject({ code: 'internal', message: 'no such snapshot', cause: gone });
  expect(innerFault(busy)).toBe(busy);
  expect(messageOf(42)).toBe('42');
});

import { expect, test } from 'vitest';
import { statusJson, statusText } from './outcome.ts';

test('success has a status, and no text', () => {
  expect(JSON.parse(statusJson({ kind: 'exit', code: 0 }))).toEqual({ metadata: {}, status: 'Success' });
  expect(statusText({ kind: 'exit', code: 0 })).toBe('');
});

test('an exit code stands in the cause', () => {
  expect(JSON.parse(statusJson({ kind: 'exit', code: 137 }))).toEqual({
    metadata: {},
    status: 'Failure',
    message: 'command terminated with non-zero exit code: 137',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '137' }] },
  });
  expect(statusText({ kind: 'exit', code: 3 })).toBe('command terminated with non-zero exit code: 3');
});

test('a failure of ours is an internal error with its message', () => {
  expect(JSON.parse(statusJson({ kind: 'failure', message: 'exec: no such file' }))).toEqual({
    metadata: {},
    status: 'Failure',
    message: 'Internal error occurred: exec: no such file',
    reason: 'InternalError',
    details: { causes: [{ message: 'exec: no such file' }] },
    code: 500,
  });
});

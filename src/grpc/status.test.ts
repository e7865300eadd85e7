import { expect, it, test } from 'vitest';
import { statusHeaders, statusIn } from './status.ts';

it.each(['plain', 'with % and ünïcödé', 'line\nbreak', '100% %41', ' ends with blanks  ', ' ', ''])(
  '%j arrives as it was',
  (details) => {
    const headers = new Map(statusHeaders({ code: 'not_found', details }));
    expect(headers.get('grpc-message') ?? '').toMatch(/^([!-~]([ -~]*[!-~])?)?$/);
    expect(statusIn(headers)).toEqual({ code: 'not_found', details });
  },
);

test('a code that gRPC does not have is unknown, and no code is no status', () => {
  expect(statusIn(new Map([['grpc-status', '99']]))).toMatchObject({ code: 'unknown' });
  expect(statusIn(new Map([[':status', '200']]))).toBeNull();
});

import { expect, test } from 'vitest';
import { formatRecord, packRecord, parseRecord, unpackRecord } from './typed-json.ts';

interface Thing {
  at: bigint;
  env: Buffer;
}

test('a record comes back as it was packed', () => {
  const thing = { at: 12n, env: Buffer.from('x') };
  const packed = packRecord('cristal/thing', thing);
  expect(packed.typeUrl).toBe('cristal/thing');
  expect(unpackRecord<Thing>(packed, ['at', 'env'])).toEqual({ version: 1, ...thing });
});

test.each([
  ['{"half', 'record is not JSON'],
  ['7', 'record is not an object'],
  ['{"version":2}', 'record has version 2, not 1'],
  [formatRecord({ at: 1n }), 'record lacks env'],
])('%s is refused: %s', (text, message) => {
  expect(() => parseRecord<Thing>(text, ['at', 'env'])).toThrow(message);
});

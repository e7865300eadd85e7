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

test('a status file without a checksum, and one with blanks after it, can be read', () => {
  const thing = { at: 12n, env: Buffer.from('ü') };
  const older = '{"at":{"$int":"12"},"env":{"$bytes":"w7w="},"version":1}\n';
  for (const text of [older, formatRecord(thing), `${formatRecord(thing).trimEnd()}${' '.repeat(99)}\n`]) {
    expect(parseRecord<Thing>(text, ['at', 'env'])).toEqual({ version: 1, ...thing });
  }
});

test('of two texts that got mixed, neither passes for a record', () => {
  const texts = [1n, 22n, 2n].map((at) =>
    formatRecord({ at, env: Buffer.alloc(30, String(at)) }).padEnd(300),
  );
  for (const one of texts) {
    for (const other of texts) {
      for (let cut = 0; cut <= 300; cut++) {
        const mixed = one.slice(0, cut) + other.slice(cut);
        if (texts.some((text) => text.trimEnd() === mixed.trimEnd())) continue;
        expect(() => parseRecord<Thing>(mixed, ['at', 'env']), mixed).toThrow(/^record is /);
      }
    }
  }
});

test.each([
  [formatRecord({ at: 1n }).replace('"1"', '"2"'), 'record is damaged'],
  ['{"half', 'record is not JSON'],
  ['7', 'record is not an object'],
  ['{"version":2}', 'record has version 2, not 1'],
  [formatRecord({ at: 1n }), 'record lacks env'],
])('%s is refused: %s', (text, message) => {
  expect(() => parseRecord<Thing>(text, ['at', 'env'])).toThrow(message);
});

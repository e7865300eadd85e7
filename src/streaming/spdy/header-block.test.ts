import { constants, createDeflate, createInflate, deflateRawSync, deflateSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { DICTIONARY } from './dictionary.ts';
import { HeaderDecoder, HeaderEncoder, MAX_BLOCK_BYTES } from './header-block.ts';

describe('header blocks', () => {
  test('of one deflate stream are read in order, each from where the one before ended', async () => {
    const deflate = createDeflate({ dictionary: DICTIONARY });
    const decoder = new HeaderDecoder();
    const chunks: Buffer[] = [];
    deflate.on('data', (chunk: Buffer) => chunks.push(chunk));
    const sizes: number[] = [];
    for (let n = 0; n < 500; n++) {
      const headers = { streamtype: n % 2 ? 'data' : 'error', noise: Math.sin(n).toString(36).repeat(9) };
      deflate.write(pairs(...Object.entries(headers)));
      await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
      const block = Buffer.concat(chunks.splice(0));
      sizes.push(block.length);
      expect(decoder.decode(block)).toEqual(headers);
    }
    // They did refer back to each other.
    expect(sizes.at(-1)).toBeLessThan(sizes[0] as number);
  });

  test('of ours come back in order', () => {
    const encoder = new HeaderEncoder();
    const decoder = new HeaderDecoder();
    const many = Array.from({ length: 100 }, (_, n) => ({ n: String(n), fill: 'x'.repeat(n * 500) }));
    expect(many.map((headers) => decoder.decode(encoder.encode(headers)))).toEqual(many);
  });

  test('are one zlib stream, as any inflater reads it', async () => {
    const encoder = new HeaderEncoder();
    const inflate = createInflate({ dictionary: DICTIONARY });
    const plain: Buffer[] = [];
    inflate.on('data', (chunk: Buffer) => plain.push(chunk));
    for (const value of ['one', 'two', 'x'.repeat(40_000), 'four']) inflate.write(encoder.encode({ value }));
    await new Promise<void>((resolve) => inflate.flush(() => resolve()));
    const text = Buffer.concat(plain).toString('latin1');
    expect(text).toContain('\0\0\0\x01\0\0\0\x05value\0\0\0\x03one\0\0\0\x01');
    expect(text.endsWith('\0\0\0\x04four')).toBe(true);
  });

  test('may come without the dictionary', () => {
    const block = deflateSync(pairs(['a', 'b']), { finishFlush: constants.Z_SYNC_FLUSH });
    expect(new HeaderDecoder().decode(block)).toEqual({ a: 'b' });
  });

  test('may be empty', () => {
    expect(new HeaderDecoder().decode(new HeaderEncoder().encode({}))).toEqual({});
  });

  test('hold names that objects know otherwise, and bytes beyond ASCII', () => {
    const headers = new HeaderDecoder().decode(first(pairs(['__proto__', 'x'], ['constructor', 'é'])));
    expect(Object.entries(headers ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'é'],
    ]);
  });

  test('join the values of one name', () => {
    expect(new HeaderDecoder().decode(first(pairs(['accept', 'a\0b'])))).toEqual({ accept: 'a, b' });
  });
});

it.each([
  ['an upper-case name', pairs(['Host', 'a'])],
  ['an empty name', pairs(['', 'a'])],
  ['a name that comes twice', pairs(['a', '1'], ['a', '2'])],
])('%s spoils its own stream only', (_name, block) => {
  const decoder = new HeaderDecoder();
  expect(decoder.decode(first(block))).toBeNull();
  const next = deflateRawSync(pairs(['ok', 'yes']), { finishFlush: constants.Z_SYNC_FLUSH });
  expect(decoder.decode(next)).toEqual({ ok: 'yes' });
});

it.each([
  ['too many bytes', first(Buffer.concat([pairs(['a', 'b']), Buffer.of(0)])), 'too long'],
  ['too few bytes', first(pairs(['a', 'b']).subarray(0, -1)), 'cut off'],
  ['a count beyond its pairs', first(Buffer.from('ffffffff', 'hex')), 'cut off'],
  ['no zlib', Buffer.from('GET / HTTP/1.1\r\n'), 'not zlib'],
  ['nothing', Buffer.alloc(0), 'not zlib'],
  ['another dictionary', deflateSync('', { dictionary: Buffer.from('other') }), 'another dictionary'],
  ['no flush', deflateSync(pairs(['a', 'b']), { dictionary: DICTIONARY }), 'does not end with a flush'],
  [
    'broken deflate',
    Buffer.concat([first(Buffer.alloc(0)).subarray(0, 6), Buffer.from('ff0000ffff', 'hex')]),
    'decompress',
  ],
  ['a bomb', first(pairs(['a', 'b'.repeat(50 * 1024 * 1024)])), 'decompress'],
])('a block with %s ends the connection', (_name, block, message) => {
  expect(() => new HeaderDecoder().decode(block)).toThrow(
    expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining(message) }),
  );
});

test('a block of the largest size passes', () => {
  const value = 'x'.repeat(MAX_BLOCK_BYTES - 13);
  expect(new HeaderDecoder().decode(first(pairs(['a', value])))).toEqual({ a: value });
});

function pairs(...entries: [string, string][]): Buffer {
  const texts = entries.flat().flatMap((text) => [word(text.length), Buffer.from(text, 'latin1')]);
  return Buffer.concat([word(entries.length), ...texts]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A block as the first of its connection. */
function first(plain: Buffer): Buffer {
  return deflateSync(plain, { dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
}

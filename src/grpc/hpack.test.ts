import { describe, expect, it, test } from 'vitest';
import { encodeHeaders, HeaderDecoder } from './hpack.ts';
import { decodeHuffman } from './huffman.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const decode = (decoder: HeaderDecoder, block: string): [string, string][] => [
  ...(decoder.decode(hex(block)) ?? []),
];

describe('the examples of RFC 7541', () => {
  test('C.3: requests on one connection, without Huffman', () => {
    const decoder = new HeaderDecoder();
    const common = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
    ];
    expect(decode(decoder, '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d')).toEqual(common);
    expect(decode(decoder, '8286 84be 5808 6e6f 2d63 6163 6865')).toEqual([
      ...common,
      ['cache-control', 'no-cache'],
    ]);
    expect(
      decode(decoder, '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65'),
    ).toEqual([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ]);
  });

  test('C.4.1: a request with Huffman', () => {
    expect(decode(new HeaderDecoder(), '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff').at(-1)).toEqual([
      ':authority',
      'www.example.com',
    ]);
  });

  it.each([
    ['www.example.com', 'f1e3 c2e5 f23a 6ba0 ab90 f4ff'],
    ['no-cache', 'a8eb 1064 9cbf'],
    ['custom-value', '25a8 49e9 5bb8 e8b4 bf'],
    ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff'],
    [
      'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
      '94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    ],
  ])('Huffman: %s', (text, bytes) => {
    expect(decodeHuffman(hex(bytes))).toBe(text);
  });
});

/** A literal that is kept: `x` with a value of `size` characters. */
const kept = (size: number, letter: string): Buffer =>
  Buffer.concat([
    hex('40 01 78'),
    size < 127 ? Buffer.of(size) : hex('7f 81 07'),
    Buffer.alloc(size, letter),
  ]);

describe('the dynamic table', () => {
  test('drops the oldest entries when it is full', () => {
    const decoder = new HeaderDecoder();
    decoder.decode(kept(1_024, 'a'));
    decoder.decode(kept(1_024, 'b'));
    decoder.decode(kept(1_024, 'c'));
    expect(decoder.decode(Buffer.of(0x80 | 64))?.get('x')).toBe('a'.repeat(1_024));
    decoder.decode(kept(1_024, 'd')); // four of them are more than 4096 bytes with the overhead
    expect(() => decoder.decode(Buffer.of(0x80 | 65))).toThrow('no header');
    expect(decoder.decode(Buffer.of(0x80 | 62))?.get('x')).toBe('d'.repeat(1_024));
  });

  test('is emptied by a peer that makes it small, and may not become larger than we said', () => {
    const decoder = new HeaderDecoder();
    decoder.decode(kept(10, 'a'));
    decoder.decode(hex('20'));
    expect(() => decoder.decode(Buffer.of(0x80 | 62))).toThrow('no header');
    expect(() => decoder.decode(hex('3f e2 1f'))).toThrow('a table of');
  });
});

describe('blocks that are wrong', () => {
  it.each([
    ['index 0', '80'],
    ['an index that nobody has set', 'ff 01'],
    ['a string that is longer than the block', '00 05 61'],
    ['an integer without end', 'ff ff ff ff ff ff ff ff'],
    ['no value', '00 01 61'],
    ['padding of a whole byte', '00 82 1f ff 00'],
    ['padding with zeros', '00 81 18 00'],
  ])('%s', (_name, block) => {
    expect(() => new HeaderDecoder().decode(hex(block))).toThrow('HPACK');
  });

  test('a few bytes that stand for more than 64 KiB of headers', () => {
    const decoder = new HeaderDecoder();
    decoder.decode(Buffer.concat([hex('40 01 78 7f 81 1e'), Buffer.alloc(3_968, 'a')]));
    expect(decoder.decode(Buffer.alloc(20, 0x80 | 62))).toBeNull();
    expect(decoder.decode(Buffer.of(0x80 | 62))?.get('x')).toHaveLength(3_968);
  });
});

test('what is encoded is decoded, by any decoder and in any order', () => {
  const headers: [string, string][] = [
    [':method', 'POST'],
    [':path', `/${'long'.repeat(100)}`],
    ['content-type', 'application/grpc'],
    ['containerd-namespace', 'k8s.io'],
    ['empty', ''],
  ];
  const block = encodeHeaders(headers);
  const decoder = new HeaderDecoder();
  expect([...(decoder.decode(block) ?? [])]).toEqual(headers);
  expect([...(decoder.decode(block) ?? [])]).toEqual(headers);
});

test('values of one name are joined', () => {
  const block = encodeHeaders([
    ['a', '1'],
    ['a', '2'],
  ]);
  expect(new HeaderDecoder().decode(block)?.get('a')).toBe('1,2');
});

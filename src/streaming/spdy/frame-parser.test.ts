import { describe, expect, it, test } from 'vitest';
import { FrameParser, MAX_CONTROL_BYTES } from './frame-parser.ts';
import type { Frame } from './frames.ts';
import {
  encodeDataHeader,
  encodeGoAway,
  encodeHeaders,
  encodePing,
  encodeRstStream,
  encodeSettings,
  encodeSynReply,
  encodeSynStream,
  encodeWindowUpdate,
} from './frames.ts';

const block = Buffer.from('block');
const synStream = { streamId: 7, associatedId: 0, priority: 3, fin: true, unidirectional: true, block };

/** Each frame as bytes written by hand from the draft, the encoder's output, and as parsed. */
const table: [string, string, Buffer, Frame][] = [
  [
    'SYN_STREAM',
    '80030001 0300000f 00000007 00000000 6000 626c6f636b',
    encodeSynStream(synStream),
    { type: 'syn-stream', ...synStream },
  ],
  [
    'SYN_REPLY',
    '80030002 01000009 00000007 626c6f636b',
    encodeSynReply(7, block, true),
    { type: 'syn-reply', streamId: 7, fin: true, block },
  ],
  [
    'RST_STREAM',
    '80030003 00000008 00000007 00000005',
    encodeRstStream(7, 5),
    { type: 'rst-stream', streamId: 7, status: 5 },
  ],
  [
    'SETTINGS',
    '80030004 00000014 00000002 01000004 00000064 00000007 00010000',
    encodeSettings([
      { id: 4, flags: 1, value: 100 },
      { id: 7, flags: 0, value: 65536 },
    ]),
    {
      type: 'settings',
      settings: [
        { id: 4, flags: 1, value: 100 },
        { id: 7, flags: 0, value: 65536 },
      ],
    },
  ],
  ['PING', '80030006 00000004 fffffffe', encodePing(0xfffffffe), { type: 'ping', id: 0xfffffffe }],
  [
    'GOAWAY',
    '80030007 00000008 00000009 00000001',
    encodeGoAway(9, 1),
    { type: 'goaway', lastStreamId: 9, status: 1 },
  ],
  [
    'HEADERS',
    '80030008 00000009 00000007 626c6f636b',
    encodeHeaders(7, block),
    { type: 'headers', streamId: 7, fin: false, block },
  ],
  [
    'WINDOW_UPDATE of the connection',
    '80030009 00000008 00000000 7fffffff',
    encodeWindowUpdate(0, 0x7fffffff),
    { type: 'window-update', streamId: 0, delta: 0x7fffffff },
  ],
  [
    'data with FIN',
    '00000007 01000005 626c6f636b',
    Buffer.concat([encodeDataHeader(7, 5, true), block]),
    { type: 'data', streamId: 7, fin: true, data: block },
  ],
  [
    'an empty data frame',
    '00000007 00000000',
    encodeDataHeader(7, 0, false),
    { type: 'data', streamId: 7, fin: false, data: Buffer.alloc(0) },
  ],
];

describe('a frame', () => {
  it.each(table)('%s: %s', (_name, hex, encoded, frame) => {
    expect(encoded.toString('hex')).toBe(hex.replaceAll(' ', ''));
    expect(parse([encoded])).toEqual([frame]);
  });

  test('of a type that is not known is passed over', () => {
    expect(parse([bytes('8003000a 00000003 010203'), encodePing(1)])).toEqual([
      { type: 'unknown', code: 10 },
      { type: 'ping', id: 1 },
    ]);
  });
});

it.each([1, 2, 3, 7, 8, 13])('all frames come the same in chunks of %i bytes', (size) => {
  const all = Buffer.concat(table.map(([, , encoded]) => encoded));
  const chunks = Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.subarray(index * size, (index + 1) * size),
  );
  expect(joined(parse(chunks))).toEqual(joined(table.map(([, , , frame]) => frame)));
});

test('a data frame of any length is handed on in parts, and FIN comes with the last', () => {
  const parts = [encodeDataHeader(3, 0xffffff, true), Buffer.alloc(0xfffffe), Buffer.alloc(1)];
  expect(parse(parts).map((frame) => frame.type === 'data' && [frame.data.length, frame.fin])).toEqual([
    [0xfffffe, false],
    [1, true],
  ]);
});

test('a header block has memory of its own', () => {
  const chunk = encodeSynReply(1, Buffer.from('block'));
  const [frame] = parse([chunk]);
  chunk.fill(0);
  expect(frame).toMatchObject({ block: Buffer.from('block') });
});

it.each([
  ['data on stream 0', '00000000 00000001', 'data on stream 0'],
  ['another version', '80020006 00000004 00000001', 'a frame of version 2'],
  [
    'a control frame that is too long',
    `80030001 00${(MAX_CONTROL_BYTES + 1).toString(16).padStart(6, '0')}`,
    'a control frame of 65537 bytes',
  ],
  ['SYN_STREAM cut short', '80030001 00000009 000000010000000000', 'of only 9 bytes'],
  ['SYN_STREAM on stream 0', '80030001 0000000a 00000000000000000000', 'about stream 0'],
  ['RST_STREAM without a status', '80030003 00000004 00000001', 'of only 4 bytes'],
  [
    'SETTINGS with too few entries',
    '80030004 0000000c 00000002 0000000700010000',
    'SETTINGS of a wrong length',
  ],
  ['SETTINGS that count to 2^32', '80030004 00000004 ffffffff', 'SETTINGS of a wrong length'],
  ['a window beyond 2^31', '80030004 0000000c 00000001 00000007 80000000', 'an initial window beyond'],
  ['an empty PING', '80030006 00000000', 'of only 0 bytes'],
  ['an empty WINDOW_UPDATE', '80030009 00000008 00000001 00000000', 'WINDOW_UPDATE by 0'],
])('%s is refused', (_name, hex, message) => {
  expect(() => parse([bytes(hex)])).toThrow(message);
  expect(() => parse([...bytes(hex)].map((byte) => Buffer.of(byte)))).toThrow(
    expect.objectContaining({ code: 'invalid_argument' }),
  );
});

function parse(chunks: Buffer[]): Frame[] {
  const parser = new FrameParser();
  return chunks.flatMap((chunk) => [...parser.push(chunk)]);
}

/** Data frames in a row as one, since a payload may come in any number of parts. */
function joined(frames: Frame[]): Frame[] {
  const result: Frame[] = [];
  for (const frame of frames) {
    const last = result.at(-1);
    if (frame.type !== 'data' || last?.type !== 'data' || last.fin) result.push(frame);
    else result[result.length - 1] = { ...frame, data: Buffer.concat([last.data, frame.data]) };
  }
  return result;
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

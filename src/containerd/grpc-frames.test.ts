import { describe, expect, it, test } from 'vitest';
import { frameOf, messagesIn } from './grpc-frames.ts';
import { api } from './proto.ts';

const { requestSerialize, requestDeserialize } = api['containerd.services.content.v1.Content'].Write;
const DATA_FIELD = 6;

describe('frameOf', () => {
  it.each([0, 1, 127, 128, 16_383, 16_384, 300_000])('a tail of %s bytes is a field like another', (size) => {
    const bytes = Buffer.alloc(size, 'cristal');
    const frame = Buffer.concat(
      frameOf(requestSerialize({ ref: 'r', offset: 7 }), { field: DATA_FIELD, bytes }),
    );
    expect(frame[0]).toBe(0);
    expect(frame.readUInt32BE(1)).toBe(frame.length - 5);
    expect(requestDeserialize(frame.subarray(5))).toEqual(
      requestDeserialize(requestSerialize({ ref: 'r', offset: 7, data: bytes })),
    );
  });

  test('the bytes of the tail are not copied', () => {
    const bytes = Buffer.from('x');
    expect(frameOf(Buffer.alloc(0), { field: DATA_FIELD, bytes })[1]).toBe(bytes);
  });
});

describe('messagesIn', () => {
  const messages = ['', 'a', 'bc'.repeat(300)];
  const wire = Buffer.concat(messages.flatMap((text) => frameOf(Buffer.from(text))));

  it.each([1, 4, 5, 6, 7, wire.length])('finds the messages in pieces of %s bytes', async (size) => {
    const pieces = async function* () {
      for (let start = 0; start < wire.length; start += size) yield wire.subarray(start, start + size);
    };
    const found: string[] = [];
    for await (const message of messagesIn(pieces())) found.push(message.toString());
    expect(found).toEqual(messages);
  });
});

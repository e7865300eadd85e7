import { describe, expect, it, test } from 'vitest';
import { api } from '../containerd/proto.ts';
import { frameOf, MessageParser } from './messages.ts';

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

describe('MessageParser', () => {
  const messages = ['', 'a', 'bc'.repeat(300), ''];
  const wire = Buffer.concat(messages.flatMap((text) => frameOf(Buffer.from(text))));

  it.each([1, 4, 5, 6, 7, wire.length])('finds the messages in pieces of %s bytes', (size) => {
    const parser = new MessageParser();
    const found: string[] = [];
    for (let start = 0; start < wire.length; start += size)
      parser.push(wire.subarray(start, start + size), (message) => found.push(message.toString()));
    expect(found).toEqual(messages);
  });

  test('messages do not change when what they were read from does', () => {
    const chunk = Buffer.concat(frameOf(Buffer.from('mine')));
    const found: Buffer[] = [];
    new MessageParser().push(chunk, (message) => found.push(message));
    chunk.fill(0);
    expect(found.map(String)).toEqual(['mine']);
  });

  it.each([
    ['a length of 17 MiB', [0, 0x01, 0x10, 0, 0], 'resource_exhausted'],
    ['a compressed message', [1, 0, 0, 0, 1, 7], 'unimplemented'],
  ])('%s is refused', (_name, bytes, code) => {
    expect(() => new MessageParser().push(Buffer.from(bytes), () => {})).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });
});

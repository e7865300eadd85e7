import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { drain, StreamBroken } from './drain.ts';

test('chunks are taken one at a time, in order, to the last', async () => {
  const taken: string[] = [];
  let taking = 0;
  await drain(Readable.from(Array.from('abcdefg', (letter) => Buffer.from(letter))), async (chunk) => {
    expect(++taking).toBe(1);
    await turn();
    taken.push(chunk.toString());
    taking--;
  });
  expect(taken.join('')).toBe('abcdefg');
});

test('a stream is not read faster than its chunks are taken', async () => {
  let read = 0;
  const endless = new Readable({
    highWaterMark: 10,
    read() {
      read++;
      setImmediate(() => this.push(Buffer.alloc(10)));
    },
  });
  const gate = Promise.withResolvers<void>();
  const draining = drain(endless, () => gate.promise);
  for (let turns = 0; turns < 50; turns++) await turn();
  expect(read).toBeLessThan(15);
  const held = read;
  gate.resolve();
  for (let turns = 0; turns < 50; turns++) await turn();
  expect(read).toBeGreaterThan(held);
  endless.destroy();
  await expect(draining).rejects.toBeInstanceOf(StreamBroken);
});

test('what came before a stream broke is taken before that is told', async () => {
  const stream = new PassThrough();
  const taken: string[] = [];
  const draining = drain(stream, async (chunk) => {
    await turn();
    taken.push(chunk.toString());
  });
  stream.write('a');
  await turn();
  stream.write('b');
  await turn();
  stream.destroy(new Error('cut'));
  await expect(draining).rejects.toThrow(new StreamBroken('cut'));
  expect(taken).toEqual(['a', 'b']);
});

test('a failure to take ends it as it is', async () => {
  const failure = new Error('full');
  const stream = Readable.from([Buffer.from('a'), Buffer.from('b')]);
  await expect(drain(stream, () => Promise.reject(failure))).rejects.toBe(failure);
});

test('an empty stream ends', async () => {
  await drain(Readable.from([]), () => Promise.reject(new Error('nothing to take')));
});

import type { Duplex } from 'node:stream';
import { duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import type { SpdyConnection, SpdyStream } from './connection.ts';
import { serveSpdy } from './connection.ts';
import {
  encodeDataHeader,
  encodeHeaders,
  encodePing,
  encodeRstStream,
  encodeSettings,
  encodeSynStream,
  encodeWindowUpdate,
} from './frames.ts';
import { HeaderEncoder } from './header-block.ts';

const ROUNDS = 60;

/** What may be buffered in all, both sockets included: streams of a session here are at most 100. */
const MEMORY_BOUND = 64 * 1024 * 1024;

describe('whatever a client sends, only its own connection ends', () => {
  it.each<[string, (random: Random) => Buffer]>([
    ['random bytes', (random) => bytesOf(random, 1 + (random() % 4096))],
    ['random frames', randomFrames],
    ['a session with some bytes changed', mutated],
    ['a session that is cut off', (random) => cutOff(session(random), random)],
    ['a session in disorder', (random) => shuffled(frames(random), random)],
  ])('%s', async (_name, make) => {
    const before = memory();
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = xorshift(seed);
      const { streams, connection, far } = start(random);
      await feed(far, make(random), random);
      far.resume();
      if (random() % 4 === 0) connection.destroy();
      else far.end();
      await connection.closed;
      // Each stream has come to its end, one way or the other, and none hangs in the air.
      for (const { duplex } of streams) duplex.resume();
      await setImmediate();
      expect(streams.filter(({ duplex }) => !duplex.destroyed)).toEqual([]);
    }
    expect(memory() - before).toBeLessThan(MEMORY_BOUND);
  });
});

/** A server whose streams are echoed, read, left alone or torn down, by chance. */
function start(random: Random): { streams: SpdyStream[]; connection: SpdyConnection; far: Duplex } {
  const [near, far] = duplexPair();
  far.on('error', () => {});
  if (random() % 2) far.resume();
  const streams: SpdyStream[] = [];
  const onStream = (stream: SpdyStream): void => {
    streams.push(stream);
    const behaviour = [
      () => stream.duplex.pipe(stream.duplex),
      () => stream.duplex.on('end', () => stream.duplex.end('bye')).resume(),
      () => stream.reply(),
      () => stream.reset(),
      () => stream.duplex.end(Buffer.alloc(100_000)),
      () => {
        throw new Error('not taken');
      },
    ];
    behaviour[random() % behaviour.length]?.();
  };
  const log = pino({ level: 'silent' });
  const connection = serveSpdy(near, Buffer.alloc(0), { onStream, log, maxStreams: 20 });
  return { streams, connection, far };
}

/** Writes in chunks of any size, and stops where the other side no longer listens. */
async function feed(far: Duplex, bytes: Buffer, random: Random): Promise<void> {
  for (let offset = 0; offset < bytes.length && far.writable; ) {
    const chunk = bytes.subarray(offset, offset + 1 + (random() % 700));
    offset += chunk.length;
    far.write(chunk);
    if (random() % 8 === 0) await setImmediate();
  }
}

/** The frames of a session that is nearly valid. */
function frames(random: Random): Buffer[] {
  const encoder = new HeaderEncoder();
  const result: Buffer[] = [];
  for (let streamId = 1; streamId < 60; streamId += 2) {
    const block = encoder.encode({ streamtype: 'data', requestid: String(random()) });
    result.push(encodeSynStream({ streamId, block, fin: random() % 5 === 0 }));
    for (let i = random() % 5; i > 0; i--) {
      const other = 1 + (random() % 60);
      const payload = bytesOf(random, random() % 3000);
      result.push(
        [
          Buffer.concat([encodeDataHeader(other, payload.length, random() % 4 === 0), payload]),
          encodeRstStream(other, 1 + (random() % 8)),
          encodePing(random()),
          encodeWindowUpdate(random() % 2 ? 0 : other, 1 + (random() % 100_000)),
          encodeSettings([{ id: 7, flags: 0, value: random() % 100_000 }]),
          encodeHeaders(other, encoder.encode({ more: 'headers' }), random() % 3 === 0),
        ][random() % 6] as Buffer,
      );
    }
  }
  return result;
}

function session(random: Random): Buffer {
  return Buffer.concat(frames(random));
}

/** Frames of every type and any body. */
function randomFrames(random: Random): Buffer {
  const all = Array.from({ length: 50 }, () => {
    const body = bytesOf(random, random() % 64);
    const header = Buffer.from([0x80, 3, 0, random() % 12, random() % 4, 0, 0, body.length]);
    return Buffer.concat([header, body]);
  });
  return Buffer.concat(all);
}

function mutated(random: Random): Buffer {
  const bytes = session(random);
  for (let i = 1 + (random() % 5); i > 0; i--) bytes[random() % bytes.length] = random() % 256;
  return bytes;
}

function cutOff(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, random() % bytes.length);
}

function shuffled(parts: Buffer[], random: Random): Buffer {
  const keyed = parts.map((part) => ({ part, key: random() }));
  return Buffer.concat(keyed.sort((a, b) => a.key - b.key).map(({ part }) => part));
}

type Random = () => number;

/** Numbers of 31 bits, the same for the same seed. */
function xorshift(seed: number): Random {
  let state = seed * 2654435761;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 1;
  };
}

function bytesOf(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random() % 256));
}

function memory(): number {
  return process.memoryUsage().arrayBuffers;
}

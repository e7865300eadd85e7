import { Fault } from '../../lib/fault.ts';
import type { Frame } from './frames.ts';
import {
  FLAG_FIN,
  FLAG_UNIDIRECTIONAL,
  FRAME_HEADER_BYTES,
  frameType,
  SETTING_INITIAL_WINDOW,
  VERSION,
} from './frames.ts';

/** The longest control frame we take, in bytes of its body. A kubectl's are below 200. */
export const MAX_CONTROL_BYTES = 64 * 1024;

const ID_BITS = 0x7fffffff;

/**
 * Turns a byte stream into frames, for chunks cut anywhere. What it holds between two calls is at
 * most one control frame. A data frame may have any length: its payload is handed on as it comes,
 * as several `data` frames of which only the last can have `fin`.
 *
 * `push` throws a Fault (invalid_argument) on the first thing that breaks the protocol; what was
 * parsed before it has been yielded. After that the parser must not be used.
 */
export class FrameParser {
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerFilled = 0;
  #body: Buffer | null = null;
  #bodyFilled = 0;
  #data: { streamId: number; fin: boolean; left: number } | null = null;

  /** Yields views into `chunk` for data, and own memory for header blocks. */
  *push(chunk: Buffer): Generator<Frame, void> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#data) {
        const part = chunk.subarray(offset, offset + this.#data.left);
        offset += part.length;
        yield this.#dataPart(this.#data, part);
      } else if (this.#body) {
        const copied = chunk.copy(this.#body, this.#bodyFilled, offset);
        this.#bodyFilled += copied;
        offset += copied;
      } else {
        const copied = chunk.copy(this.#header, this.#headerFilled, offset);
        this.#headerFilled += copied;
        offset += copied;
        if (this.#headerFilled === FRAME_HEADER_BYTES) this.#begin();
      }
      const done = this.#finished();
      if (done) yield done;
    }
  }

  #begin(): void {
    this.#headerFilled = 0;
    const first = this.#header.readUInt32BE(0);
    const length = this.#header.readUIntBE(5, 3);
    if (first <= ID_BITS) {
      if (first === 0) throw protocolError('data on stream 0');
      this.#data = { streamId: first, fin: (this.#flags & FLAG_FIN) !== 0, left: length };
      return;
    }
    const version = this.#header.readUInt16BE(0) & 0x7fff;
    if (version !== VERSION) throw protocolError(`a frame of version ${version}`);
    if (length > MAX_CONTROL_BYTES) throw protocolError(`a control frame of ${length} bytes`);
    this.#body = Buffer.alloc(length);
    this.#bodyFilled = 0;
  }

  get #flags(): number {
    return this.#header[4] as number;
  }

  /** The frame that is complete now without any further byte. */
  #finished(): Frame | null {
    if (this.#data?.left === 0) return this.#dataPart(this.#data, Buffer.alloc(0));
    if (!this.#body || this.#bodyFilled < this.#body.length) return null;
    const body = this.#body;
    this.#body = null;
    return controlFrame(this.#header.readUInt16BE(2), this.#flags, body);
  }

  #dataPart(frame: { streamId: number; fin: boolean; left: number }, data: Buffer): Frame {
    frame.left -= data.length;
    const ended = frame.left === 0;
    if (ended) this.#data = null;
    return { type: 'data', streamId: frame.streamId, fin: ended && frame.fin, data };
  }
}

function controlFrame(code: number, flags: number, body: Buffer): Frame {
  const fin = (flags & FLAG_FIN) !== 0;
  switch (code) {
    case frameType.synStream:
      return {
        type: 'syn-stream',
        streamId: streamIdAt(body, 0, 10),
        associatedId: body.readUInt32BE(4) & ID_BITS,
        priority: (body[8] as number) >> 5,
        fin,
        unidirectional: (flags & FLAG_UNIDIRECTIONAL) !== 0,
        block: body.subarray(10),
      };
    case frameType.synReply:
      return { type: 'syn-reply', streamId: streamIdAt(body, 0, 4), fin, block: body.subarray(4) };
    case frameType.headers:
      return { type: 'headers', streamId: streamIdAt(body, 0, 4), fin, block: body.subarray(4) };
    case frameType.rstStream:
      return { type: 'rst-stream', streamId: streamIdAt(body, 0, 8), status: body.readUInt32BE(4) };
    case frameType.settings:
      return settingsFrame(body);
    case frameType.ping:
      return { type: 'ping', id: wordAt(body, 0, 4) };
    case frameType.goAway:
      return { type: 'goaway', lastStreamId: wordAt(body, 0, 8) & ID_BITS, status: body.readUInt32BE(4) };
    case frameType.windowUpdate:
      return windowUpdateFrame(body);
    default:
      return { type: 'unknown', code };
  }
}

function settingsFrame(body: Buffer): Frame {
  const count = wordAt(body, 0, 4);
  if (body.length !== 4 + 8 * count) throw protocolError('SETTINGS of a wrong length');
  const settings = Array.from({ length: count }, (_, index) => {
    const at = 4 + 8 * index;
    const setting = {
      flags: body.readUInt8(at),
      id: body.readUIntBE(at + 1, 3),
      value: body.readUInt32BE(at + 4),
    };
    if (setting.id === SETTING_INITIAL_WINDOW && setting.value > ID_BITS) {
      throw protocolError('an initial window beyond 2^31 - 1');
    }
    return setting;
  });
  return { type: 'settings', settings };
}

function windowUpdateFrame(body: Buffer): Frame {
  const streamId = wordAt(body, 0, 8) & ID_BITS; // 0 is the connection
  const delta = body.readUInt32BE(4) & ID_BITS;
  if (delta === 0) throw protocolError('WINDOW_UPDATE by 0');
  return { type: 'window-update', streamId, delta };
}

function streamIdAt(body: Buffer, at: number, minBytes: number): number {
  const streamId = wordAt(body, at, minBytes) & ID_BITS;
  if (streamId === 0) throw protocolError('a frame about stream 0');
  return streamId;
}

function wordAt(body: Buffer, at: number, minBytes: number): number {
  if (body.length < minBytes) throw protocolError(`a control frame of only ${body.length} bytes`);
  return body.readUInt32BE(at);
}

function protocolError(what: string): Fault {
  return new Fault('invalid_argument', `SPDY: the peer sent ${what}`);
}

/**
 * SPDY/3.1 frames as values, and how they look on the wire (SPDY/3.1 draft, section 2.2 and 2.6).
 * A control frame is `1 | version:15 | type:16 | flags:8 | length:24 | body`, a data frame
 * `0 | stream:31 | flags:8 | length:24 | bytes`. Everything is big-endian.
 */

/** Bytes before the body of any frame. */
export const FRAME_HEADER_BYTES = 8;

export const VERSION = 3;

/** The numbers of the control frames that SPDY/3.1 has, CREDENTIAL left out. */
export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const FLAG_FIN = 1;
export const FLAG_UNIDIRECTIONAL = 2;

/** Why a stream was reset. */
export const resetStatus = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
  flowControlError: 7,
} as const;

/** Why a connection ends. */
export const goAwayStatus = { ok: 0, protocolError: 1, internalError: 2 } as const;

/** The one setting that matters to us: how much may be sent on a new stream without an update. */
export const SETTING_INITIAL_WINDOW = 7;

export interface Setting {
  readonly id: number;
  readonly flags: number;
  readonly value: number;
}

/** A frame as parsed. Header blocks are still compressed, since their order matters to the decoder. */
export type Frame =
  | { type: 'data'; streamId: number; fin: boolean; data: Buffer }
  | {
      type: 'syn-stream';
      streamId: number;
      associatedId: number;
      priority: number;
      fin: boolean;
      unidirectional: boolean;
      block: Buffer;
    }
  | { type: 'syn-reply'; streamId: number; fin: boolean; block: Buffer }
  | { type: 'headers'; streamId: number; fin: boolean; block: Buffer }
  | { type: 'rst-stream'; streamId: number; status: number }
  | { type: 'settings'; settings: Setting[] }
  | { type: 'ping'; id: number }
  | { type: 'goaway'; lastStreamId: number; status: number }
  | { type: 'window-update'; streamId: number; delta: number }
  /** A control frame that the draft tells receivers to ignore. Its body is gone. */
  | { type: 'unknown'; code: number };

/** The first 8 bytes of a data frame; `length` bytes of payload must follow. */
export function encodeDataHeader(streamId: number, length: number, fin: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  bytes.writeUInt32BE(streamId, 0);
  bytes.writeUInt32BE((fin ? FLAG_FIN << 24 : 0) + length, 4);
  return bytes;
}

export interface SynStream {
  readonly streamId: number;
  readonly block: Buffer;
  readonly fin?: boolean;
  readonly unidirectional?: boolean;
  /** 0 is the most urgent of 0 to 7. */
  readonly priority?: number;
}

export function encodeSynStream(frame: SynStream): Buffer {
  const flags = (frame.fin ? FLAG_FIN : 0) | (frame.unidirectional ? FLAG_UNIDIRECTIONAL : 0);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt32BE(frame.streamId, 0);
  fixed[8] = (frame.priority ?? 0) << 5;
  return controlFrame(frameType.synStream, flags, Buffer.concat([fixed, frame.block]));
}

export function encodeSynReply(streamId: number, block: Buffer, fin = false): Buffer {
  return controlFrame(frameType.synReply, fin ? FLAG_FIN : 0, Buffer.concat([words(streamId), block]));
}

export function encodeHeaders(streamId: number, block: Buffer, fin = false): Buffer {
  return controlFrame(frameType.headers, fin ? FLAG_FIN : 0, Buffer.concat([words(streamId), block]));
}

export function encodeRstStream(streamId: number, status: number): Buffer {
  return controlFrame(frameType.rstStream, 0, words(streamId, status));
}

export function encodeSettings(settings: readonly Setting[]): Buffer {
  const pairs = settings.flatMap(({ id, flags, value }) => [flags * 2 ** 24 + id, value]);
  return controlFrame(frameType.settings, 0, words(settings.length, ...pairs));
}

export function encodePing(id: number): Buffer {
  return controlFrame(frameType.ping, 0, words(id));
}

export function encodeGoAway(lastStreamId: number, status: number): Buffer {
  return controlFrame(frameType.goAway, 0, words(lastStreamId, status));
}

/** Stream 0 is the whole connection. */
export function encodeWindowUpdate(streamId: number, delta: number): Buffer {
  return controlFrame(frameType.windowUpdate, 0, words(streamId, delta));
}

function controlFrame(type: number, flags: number, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + body.length);
  bytes.writeUInt16BE(0x8000 | VERSION, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt32BE(flags * 2 ** 24 + body.length, 4);
  body.copy(bytes, FRAME_HEADER_BYTES);
  return bytes;
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}

import { Fault } from '../lib/fault.ts';

/** The types of HTTP/2 frames (RFC 9113, 6). PRIORITY and whatever came later is read over. */
export const FRAME = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of frames: the first is END_STREAM or ACK, by the type. */
export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Those of HTTP/2's codes for RST_STREAM and GOAWAY that we tell or are told. */
export const REASON = {
  none: 0,
  protocol: 1,
  flowControl: 3,
  refused: 7,
  cancel: 8,
} as const;

/** Numbers of settings that matter to us. */
export const SETTING = {
  tableSize: 1,
  enablePush: 2,
  maxStreams: 3,
  initialWindow: 4,
  maxHeaderList: 6,
} as const;

export interface Frame {
  type: number;
  flags: number;
  streamId: number;
  /** Valid until the next chunk is read. */
  payload: Buffer;
}

/** What a client says first, before its settings. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const HEADER_BYTES = 9;

/** The longest payload that anybody may send without having asked; we do not ask. */
export const MAX_FRAME_BYTES = 16_384;

/** Windows that nobody has changed. */
export const DEFAULT_WINDOW = 65_535;

/** No window may become larger. */
export const MAX_WINDOW = 2 ** 31 - 1;

/** The header of a frame; its payload of `length` bytes goes behind it. */
export function frameHeader(type: number, flags: number, streamId: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUIntBE(length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return header;
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  return Buffer.concat([frameHeader(type, flags, streamId, payload.length), payload]);
}

/** A block of headers, in as many frames as it needs. */
export function headersFrames(streamId: number, block: Buffer, endStream: boolean): Buffer {
  const frames: Buffer[] = [];
  for (let start = 0; start === 0 || start < block.length; start += MAX_FRAME_BYTES) {
    const part = block.subarray(start, start + MAX_FRAME_BYTES);
    const last = start + MAX_FRAME_BYTES >= block.length ? FLAG.endHeaders : 0;
    const end = start === 0 && endStream ? FLAG.endStream : 0;
    frames.push(frame(start === 0 ? FRAME.headers : FRAME.continuation, last | end, streamId, part));
  }
  return Buffer.concat(frames);
}

export function settingsFrame(settings: readonly (readonly [setting: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  for (const [i, [setting, value]] of settings.entries()) {
    payload.writeUInt16BE(setting, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return frame(FRAME.settings, 0, 0, payload);
}

export const SETTINGS_ACK = frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0));

export function resetFrame(streamId: number, reason: number): Buffer {
  return frame(FRAME.resetStream, 0, streamId, uint32(reason));
}

export function windowUpdateFrame(streamId: number, bytes: number): Buffer {
  return frame(FRAME.windowUpdate, 0, streamId, uint32(bytes));
}

export function pingFrame(payload: Buffer, ack: boolean): Buffer {
  return frame(FRAME.ping, ack ? FLAG.ack : 0, 0, payload);
}

export function goAwayFrame(lastStreamId: number, reason: number, why: string): Buffer {
  return frame(FRAME.goAway, 0, 0, Buffer.concat([uint32(lastStreamId), uint32(reason), Buffer.from(why)]));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Finds the frames in what comes over the wire, in pieces of any size. */
export class FrameParser {
  /** The beginning of a frame that is not all there. */
  #rest = Buffer.alloc(0);

  /** Throws for a frame that is longer than we allow. */
  *push(chunk: Buffer): Generator<Frame, void, undefined> {
    let bytes = chunk;
    while (bytes.length > 0) {
      if (this.#rest.length > 0) {
        const missing = wholeLength(this.#rest) - this.#rest.length;
        const part = bytes.subarray(0, missing);
        this.#rest = Buffer.concat([this.#rest, part]);
        bytes = bytes.subarray(part.length);
        // With its header complete the length is another.
        if (this.#rest.length < wholeLength(this.#rest)) continue;
        const found = this.#rest;
        this.#rest = Buffer.alloc(0);
        yield frameIn(found);
      } else {
        const length = wholeLength(bytes);
        if (bytes.length < length) {
          this.#rest = Buffer.from(bytes); // a copy: the chunk is the socket's
          return;
        }
        yield frameIn(bytes.subarray(0, length));
        bytes = bytes.subarray(length);
      }
    }
  }
}

/** Of the frame that begins here; while its header is not there, that of the header. */
function wholeLength(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES) return HEADER_BYTES;
  const length = bytes.readUIntBE(0, 3);
  if (length > MAX_FRAME_BYTES) throw new Fault('internal', `a frame of ${length} bytes`);
  return HEADER_BYTES + length;
}

function frameIn(bytes: Buffer): Frame {
  return {
    type: bytes.readUInt8(3),
    flags: bytes.readUInt8(4),
    streamId: bytes.readUInt32BE(5) & 0x7f_ff_ff_ff,
    payload: bytes.subarray(HEADER_BYTES),
  };
}

/** The payload without padding and priority. Throws where these are longer than it. */
export function contentOf({ type, flags, payload }: Frame): Buffer {
  const padding = (flags & FLAG.padded) === 0 ? 0 : payload.length === 0 ? 1 : payload.readUInt8(0);
  const before =
    ((flags & FLAG.padded) === 0 ? 0 : 1) + (type === FRAME.headers && (flags & FLAG.priority) !== 0 ? 5 : 0);
  if (before + padding > payload.length) throw new Fault('internal', 'more padding than payload');
  return payload.subarray(before, payload.length - padding);
}

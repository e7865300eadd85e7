import { constants, inflateRawSync } from 'node:zlib';
import { during, Fault } from '../../lib/fault.ts';
import { DICTIONARY, DICTIONARY_ID } from './dictionary.ts';

/**
 * Header blocks (SPDY/3 draft, section 2.6.10): names and values, each after its length, all blocks
 * of one direction in one zlib stream with a sync flush after each block.
 *
 * Node's zlib streams work on another thread, which would make every frame wait for the one before.
 * But a sync flush ends at a byte boundary, and from there on a zlib stream depends on nothing but
 * its last 32 KiB. So each block that comes is a raw deflate run of its own with those 32 KiB as its
 * dictionary, which Node inflates in one synchronous call with a bound on its output.
 *
 * What we send is stored, not deflated, as zlib allows: replies have no headers worth the time.
 */

/** Names are lower-case. Several values of one name are joined by ", ", as HTTP has it. */
export type Headers = Readonly<Record<string, string>>;

/** The most that one block may be when decompressed, in bytes. */
export const MAX_BLOCK_BYTES = 64 * 1024;

const HISTORY_BYTES = 32 * 1024;

/** Where a run of deflate ends by a sync flush: an empty stored block. */
const FLUSH_MARK = Buffer.from([0, 0, 0xff, 0xff]);

/** Deflate with a 32 KiB window, default level, "a dictionary's id follows". */
const ZLIB_HEADER = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
ZLIB_HEADER.writeUInt32BE(DICTIONARY_ID, 2);

const MAX_STORED_BYTES = 0xffff;

/** Writes the header blocks of one direction of one connection, in the order of their frames. */
export class HeaderEncoder {
  #started = false;

  encode(headers: Headers): Buffer {
    const plain = blockFromHeaders(headers);
    const parts: Buffer[] = this.#started ? [] : [ZLIB_HEADER];
    this.#started = true;
    for (let at = 0; at < plain.length; at += MAX_STORED_BYTES) {
      parts.push(...storedBlock(plain.subarray(at, at + MAX_STORED_BYTES)));
    }
    return Buffer.concat([...parts, ...storedBlock(Buffer.alloc(0))]);
  }
}

/**
 * Decompresses the header blocks of one direction. Every block must pass through, in order, also
 * those of streams that are refused. Throws a Fault (invalid_argument); after one the stream of
 * blocks cannot go on.
 */
export class HeaderDecoder {
  #history = DICTIONARY;
  #started = false;

  /** Null headers: the block could be read, but breaks a rule, which is its own stream's error only. */
  decode(block: Buffer): Headers | null {
    const run = this.#started ? block : this.#afterZlibHeader(block);
    this.#started = true;
    if (!run.subarray(-FLUSH_MARK.length).equals(FLUSH_MARK)) {
      throw new Fault('invalid_argument', 'SPDY: a header block that does not end with a flush');
    }
    const plain = inflate(run, this.#history);
    this.#history = historyWith(this.#history, plain);
    return headersFromBlock(plain);
  }

  #afterZlibHeader(block: Buffer): Buffer {
    if (block.length < 2 || (block.readUInt8(0) & 0x0f) !== 8 || block.readUInt16BE(0) % 31 !== 0) {
      throw new Fault('invalid_argument', 'SPDY: the first header block is not zlib');
    }
    const namesDictionary = (block.readUInt8(1) & 0x20) !== 0;
    if (!namesDictionary) {
      this.#history = Buffer.alloc(0);
      return block.subarray(2);
    }
    if (block.length < 6 || block.readUInt32BE(2) !== DICTIONARY_ID) {
      throw new Fault('invalid_argument', 'SPDY: header blocks with another dictionary than SPDY/3 has');
    }
    return block.subarray(6);
  }
}

/** As deflate has it (RFC 1951, section 3.2.4). An empty one is what a sync flush ends with. */
function storedBlock(bytes: Buffer): Buffer[] {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(bytes.length, 1);
  header.writeUInt16LE(bytes.length ^ 0xffff, 3);
  return [header, bytes];
}

function inflate(run: Buffer, history: Buffer): Buffer {
  try {
    return inflateRawSync(run, {
      // zlib takes an empty dictionary for none, Node for a mistake.
      ...(history.length > 0 ? { dictionary: history } : {}),
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: MAX_BLOCK_BYTES,
    });
  } catch (error) {
    throw during('SPDY: decompress a header block', error, 'invalid_argument');
  }
}

function historyWith(history: Buffer, plain: Buffer): Buffer {
  return Buffer.from(Buffer.concat([history, plain]).subarray(-HISTORY_BYTES));
}

function blockFromHeaders(headers: Headers): Buffer {
  const entries = Object.entries(headers);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(entries.length);
  return Buffer.concat([
    count,
    ...entries.flatMap(([name, value]) => [...lengthAndText(name.toLowerCase()), ...lengthAndText(value)]),
  ]);
}

function lengthAndText(text: string): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

/** Null where a name is empty, has upper-case letters or comes twice, which the draft forbids. */
function headersFromBlock(block: Buffer): Headers | null {
  let offset = 0;
  const take = (length: number): Buffer => {
    if (offset + length > block.length)
      throw new Fault('invalid_argument', 'SPDY: a header block is cut off');
    offset += length;
    return block.subarray(offset - length, offset);
  };
  const text = (): string => take(take(4).readUInt32BE(0)).toString('latin1');

  const headers = new Map<string, string>();
  let valid = true;
  for (let left = take(4).readUInt32BE(0); left > 0; left--) {
    const name = text();
    valid &&= name !== '' && name === name.toLowerCase() && !headers.has(name);
    headers.set(name, text().replaceAll('\0', ', '));
  }
  if (offset !== block.length) throw new Fault('invalid_argument', 'SPDY: a header block is too long');
  // Object.fromEntries also makes "__proto__" a plain own property.
  return valid ? Object.fromEntries(headers) : null;
}

import { Fault } from '../lib/fault.ts';
import { decodeHuffman } from './huffman.ts';

export type Header = readonly [name: string, value: string];

/** What both sides know without being told, from index 1 (RFC 7541, appendix A). */
const STATIC_TABLE: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** Each entry of the dynamic table counts for so many bytes more than its text. */
const ENTRY_OVERHEAD = 32;

/** The size of the dynamic table that both sides begin with, and that we never change. */
export const TABLE_BYTES = 4_096;

/** All headers of one block together, which peers are told. */
export const MAX_LIST_BYTES = 64 * 1024;

/** A change of the table's size to nothing. */
export const NO_TABLE = Buffer.of(0x20);

const BAD = 'HPACK: ';

/**
 * A block of headers for any peer at any time: it neither reads nor changes a table, so it may be made
 * once and sent often.
 */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  return Buffer.concat(headers.map(encodeHeader));
}

function encodeHeader([name, value]: Header): Buffer {
  const whole = STATIC_TABLE.findIndex((entry) => entry[0] === name && entry[1] === value && value !== '');
  if (whole !== -1) return integer(0x80, 7, whole + 1);
  const known = STATIC_TABLE.findIndex((entry) => entry[0] === name);
  const start = known === -1 ? Buffer.concat([integer(0, 4, 0), literal(name)]) : integer(0, 4, known + 1);
  return Buffer.concat([start, literal(value)]);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(0, 7, bytes.length), bytes]);
}

/** An integer of which the first byte has room for `bits`, behind what `flags` says. */
function integer(flags: number, bits: number, value: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.of(flags | value);
  const bytes = [flags | most];
  let left = value - most;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return Buffer.from([...bytes, left]);
}

/** Reads the blocks of one connection, in the order in which they came: each may change the table. */
export class HeaderDecoder {
  /** The newest first. */
  readonly #table: Header[] = [];
  #bytes = 0;
  #limit = TABLE_BYTES;

  /**
   * Names that come several times have their values joined by commas. Null for more than we take: the table is
   * as it should be, so the connection is too. Throws when the block is not HPACK.
   */
  decode(block: Buffer): Map<string, string> | null {
    const headers = new Map<string, string>();
    const reader = new Reader(block);
    let total = 0;
    while (!reader.done) {
      const header = this.#next(reader);
      if (header === null) continue;
      const [name, value] = header;
      total += name.length + value.length + ENTRY_OVERHEAD;
      if (total > MAX_LIST_BYTES) continue;
      const before = headers.get(name);
      headers.set(name, before === undefined ? value : `${before},${value}`);
    }
    return total > MAX_LIST_BYTES ? null : headers;
  }

  /** Null for a change of the table's size. */
  #next(reader: Reader): Header | null {
    const first = reader.peek();
    if ((first & 0x80) !== 0) return this.#entry(reader.integer(7));
    if ((first & 0xe0) === 0x20) {
      this.#resize(reader.integer(5));
      return null;
    }
    const isKept = (first & 0x40) !== 0;
    const index = reader.integer(isKept ? 6 : 4);
    const name = index === 0 ? reader.text() : this.#entry(index)[0];
    const header: Header = [name, reader.text()];
    if (isKept) this.#keep(header);
    return header;
  }

  #entry(index: number): Header {
    const entry = STATIC_TABLE[index - 1] ?? this.#table[index - 1 - STATIC_TABLE.length];
    if (entry === undefined) throw new Fault('internal', `${BAD}no header ${index}`);
    return entry;
  }

  #keep(header: Header): void {
    this.#table.unshift(header);
    this.#bytes += sizeOf(header);
    this.#evict();
  }

  #resize(limit: number): void {
    if (limit > TABLE_BYTES) throw new Fault('internal', `${BAD}a table of ${limit} bytes`);
    this.#limit = limit;
    this.#evict();
  }

  #evict(): void {
    while (this.#bytes > this.#limit) {
      const oldest = this.#table.pop();
      if (oldest === undefined) return;
      this.#bytes -= sizeOf(oldest);
    }
  }
}

function sizeOf([name, value]: Header): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Fault('internal', `${BAD}the block ends too early`);
    return byte;
  }

  integer(bits: number): number {
    const most = 2 ** bits - 1;
    const start = this.#byte() & most;
    if (start < most) return start;
    let value = most;
    // Four more bytes say more than any length or index that is good for anything.
    for (let factor = 1; factor <= 2 ** 21; factor *= 2 ** 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if ((byte & 0x80) === 0) return value;
    }
    throw new Fault('internal', `${BAD}an integer that is too large`);
  }

  text(): string {
    const isHuffman = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Fault('internal', `${BAD}the block ends too early`);
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return isHuffman ? decodeHuffman(bytes) : bytes.toString('latin1');
  }

  #byte(): number {
    const byte = this.peek();
    this.#at += 1;
    return byte;
  }
}

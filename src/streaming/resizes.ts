import type { TerminalSize } from '../lib/streams.ts';

/** No size is longer than this, so that a client that never closes a brace costs bounded memory. */
const MAX_TEXT = 4_096;

/** The largest that TIOCSWINSZ can say. */
const MAX_CELLS = 65_535;

/**
 * Reads terminal sizes from a byte stream of JSON objects, cut anywhere: `{"Width":80,"Height":24}`.
 * Keeps the last one for whoever begins to listen later.
 */
export class Resizes {
  #text = '';
  #last: TerminalSize | null = null;
  #listener: ((size: TerminalSize) => void) | null = null;

  write(chunk: Buffer): void {
    // Sizes are ASCII; other bytes only occur in what is dropped anyway.
    this.#text += chunk.toString('latin1');
    for (let end = this.#text.indexOf('}'); end !== -1; end = this.#text.indexOf('}')) {
      const size = parseSize(this.#text.slice(0, end + 1));
      this.#text = this.#text.slice(end + 1);
      if (size) this.#tell(size);
    }
    if (this.#text.length > MAX_TEXT) this.#text = '';
  }

  listen(listener: (size: TerminalSize) => void): void {
    this.#listener = listener;
    if (this.#last) listener(this.#last);
  }

  #tell(size: TerminalSize): void {
    this.#last = size;
    this.#listener?.(size);
  }
}

/** Null for what is no size. Names in any case, as Go reads them. A side of zero is not a terminal. */
function parseSize(text: string): TerminalSize | null {
  const read = (key: string): number | null => {
    const digits = new RegExp(`"${key}"\\s*:\\s*(\\d{1,5})\\s*[,}]`, 'i').exec(text)?.[1];
    const cells = Number(digits ?? 0);
    return cells >= 1 && cells <= MAX_CELLS ? cells : null;
  };
  const width = read('width');
  const height = read('height');
  return width !== null && height !== null ? { width, height } : null;
}

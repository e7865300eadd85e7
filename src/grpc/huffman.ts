import { Fault } from '../lib/fault.ts';

/**
 * Bits in the code of each byte, and last of "end of string" (RFC 7541, appendix B). The code is
 * canonical: codes of one length are consecutive, in the order of their symbols, and start where the
 * shorter ones end; so the lengths say all.
 */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const END_OF_STRING = 256;

/** A string may end with so many bits of padding, all ones. */
const MAX_PADDING_BITS = 7;

/** Where the walk through a string's bits is: at a fork for 0 and 1, or with a symbol found. */
type Node = [zero: Node | number | null, one: Node | number | null];

const tree = treeOf(LENGTHS);

/** Text of a header that was written in the Huffman code of HPACK, a character for each byte. */
export function decodeHuffman(bytes: Uint8Array): string {
  let text = '';
  let at = tree;
  let depth = 0;
  let onlyOnes = true;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const one = (byte >> bit) & 1;
      const next = at[one] ?? null;
      if (next === null || next === END_OF_STRING) throw new Fault('internal', 'HPACK: no such Huffman code');
      if (typeof next === 'number') {
        text += String.fromCharCode(next);
        at = tree;
        depth = 0;
        onlyOnes = true;
      } else {
        at = next;
        depth += 1;
        onlyOnes &&= one === 1;
      }
    }
  }
  if (depth > MAX_PADDING_BITS || !onlyOnes) throw new Fault('internal', 'HPACK: wrong padding');
  return text;
}

function treeOf(lengths: number[]): Node {
  const root: Node = [null, null];
  const symbols = [...lengths.keys()].sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  let code = 0;
  let bits = 0;
  for (const symbol of symbols) {
    code *= 2 ** (lengthOf(symbol) - bits);
    bits = lengthOf(symbol);
    insert(root, symbol, { code, bits });
    code += 1;
  }
  return root;

  function lengthOf(symbol: number): number {
    return lengths[symbol] ?? 0;
  }
}

function insert(root: Node, symbol: number, { code, bits }: { code: number; bits: number }): void {
  let at = root;
  for (let bit = bits - 1; bit > 0; bit -= 1) {
    const side = (code >> bit) & 1;
    const next = at[side];
    if (Array.isArray(next)) {
      at = next;
    } else {
      const fork: Node = [null, null];
      at[side] = fork;
      at = fork;
    }
  }
  at[code & 1] = symbol;
}

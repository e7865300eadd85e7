/** A place in a text, both counted from 1. */
export interface Position {
  line: number;
  column: number;
}

type KeyPath = readonly string[];

/**
 * Finds where each key of a TOML document stands. The parser tells positions only of broken syntax, while
 * an operator wants them for wrong values too. Expects text that has already parsed: it does not judge.
 */
export function locateKeys(text: string): (path: KeyPath) => Position | null {
  const found = new Map<string, number>();
  new Walk(text, found).document();
  return (path) => {
    const offset = found.get(keyOf(path));
    return offset === undefined ? null : positionOf(text, offset);
  };
}

export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

function keyOf(path: KeyPath): string {
  return JSON.stringify(path);
}

const BLANK = /[ \t]*/y;
const DOT = /[ \t]*\.[ \t]*/y;
const BRACKETS = /\[{1,2}[ \t]*/y;
const BLANK_LINES_AND_COMMENTS = /(?:[ \t\r\n]|#[^\n]*)*/y;
const BARE_KEY = /[A-Za-z0-9_-]+/y;
const BARE_VALUE = /[^,\]}#\r\n]*/y;
const STRINGS = [/"""(?:[^\\]|\\[^])*?"{3,5}/y, /'''[^]*?'{3,5}/y, /"(?:[^"\\\n]|\\.)*"/y, /'[^'\n]*'/y];

/** One pass over the text; `#at` only ever moves forward. */
class Walk {
  readonly #text: string;
  readonly #found: Map<string, number>;
  #at = 0;

  constructor(text: string, found: Map<string, number>) {
    this.#text = text;
    this.#found = found;
  }

  document(): void {
    let table: KeyPath = [];
    for (;;) {
      this.#take(BLANK_LINES_AND_COMMENTS);
      if (this.#at >= this.#text.length) return;
      const start = this.#at;
      if (this.#sees('[')) table = this.#header();
      else this.#pair(table);
      if (this.#at === start) return; // not TOML: stop, rather than turn in circles
    }
  }

  #header(): KeyPath {
    const brackets = this.#take(BRACKETS).trimEnd().length;
    const path = this.#key([]);
    this.#take(BLANK);
    this.#at += brackets;
    return path;
  }

  #pair(table: KeyPath): void {
    const path = this.#key(table);
    this.#take(BLANK);
    if (!this.#sees('=')) return;
    this.#at += 1;
    this.#take(BLANK);
    this.#value(path);
  }

  /** Reads `a . "b" . c` and notes each prefix that is new at the place where its last part begins. */
  #key(table: KeyPath): KeyPath {
    let path = table;
    do {
      const start = this.#at;
      const raw = this.#string() || this.#take(BARE_KEY);
      if (raw === '') return path;
      path = [...path, unquote(raw)];
      if (!this.#found.has(keyOf(path))) this.#found.set(keyOf(path), start);
    } while (this.#take(DOT) !== '');
    return path;
  }

  #value(path: KeyPath): void {
    if (this.#sees('[')) this.#items(']', () => this.#value([...path, '[]']));
    else if (this.#sees('{')) this.#items('}', () => this.#pair(path));
    else if (this.#string() === '') this.#take(BARE_VALUE);
  }

  #items(close: string, item: () => void): void {
    this.#at += 1;
    for (;;) {
      this.#take(BLANK_LINES_AND_COMMENTS);
      if (this.#at >= this.#text.length) return;
      const start = this.#at;
      if (this.#sees(close)) {
        this.#at += 1;
        return;
      }
      if (this.#sees(',')) this.#at += 1;
      else item();
      if (this.#at === start) return;
    }
  }

  #string(): string {
    for (const pattern of STRINGS) {
      const raw = this.#take(pattern);
      if (raw !== '') return raw;
    }
    return '';
  }

  #sees(token: string): boolean {
    return this.#text.startsWith(token, this.#at);
  }

  #take(sticky: RegExp): string {
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.#text)?.[0] ?? '';
    this.#at += match.length;
    return match;
  }
}

/** Quoted keys with escapes are JSON but for \U and \e, which no key of ours has. */
function unquote(raw: string): string {
  if (raw.startsWith("'")) return raw.slice(1, -1);
  if (!raw.startsWith('"')) return raw;
  try {
    return String(JSON.parse(raw));
  } catch {
    return raw.slice(1, -1);
  }
}

import { Fault } from '../../lib/fault.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** An object that has none but the known keys. Throws `invalid_argument` that says where it is not. */
export function fieldsAt(at: string, value: unknown, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(at, 'an object');
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new Fault('invalid_argument', `${at}: unknown field "${unknown}"`);
  return value as Fields;
}

/** The elements of a list, with where each is; none where there is no list. */
export function listAt(at: string, value: unknown): [at: string, value: unknown][] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(at, 'a list');
  return value.map((element: unknown, i) => [`${at}[${i}]`, element]);
}

/** '' where there is none. */
export function textAt(at: string, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw wrong(at, 'a string');
  return value;
}

export function textsAt(at: string, value: unknown): string[] {
  return listAt(at, value).map(([where, text]) => textAt(where, text));
}

/** A whole number that is not negative; null where there is none. */
export function numberAt(at: string, value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(at, 'a whole number');
  }
  return value;
}

/** False where there is none. */
export function flagAt(at: string, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw wrong(at, 'true or false');
  return value;
}

function wrong(at: string, expected: string): Fault {
  return new Fault('invalid_argument', `${at}: expected ${expected}`);
}

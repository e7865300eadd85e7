/**
 * JSON for our records: keys sorted, so that equal values give equal text (Go writes the maps of a
 * message in random order, and a retry must be recognised), and bytes and 64-bit integers survive. They
 * travel as `$bytes` and `$int`; a key of the value's own that begins with a dollar gets one more.
 */
export function encodeJson(value: unknown): string {
  return JSON.stringify(plain(value));
}

/** Reads what `encodeJson` wrote. Throws SyntaxError on anything that is not JSON. */
export function decodeJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
    if ('$bytes' in value && typeof value.$bytes === 'string') return Buffer.from(value.$bytes, 'base64');
    if ('$int' in value && typeof value.$int === 'string') return BigInt(value.$int);
    if (!Object.keys(value).some((key) => key.startsWith('$'))) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key.replace(/^\$/, ''), member]));
  });
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return { $int: value.toString() };
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  const entries = Object.entries(value).map(([key, member]): [string, unknown] => [
    key.startsWith('$') ? `$${key}` : key,
    plain(member),
  ]);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

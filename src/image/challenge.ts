/** One way in which a registry offers to be authenticated to (RFC 9110, 11.6.1). */
export interface Challenge {
  scheme: 'bearer' | 'basic';
  /** Names in lower case. */
  parameters: Record<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SEPARATORS = /[\s,]*/y;
const PARAMETER = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/y;

/**
 * Reads WWW-Authenticate, given once or several times. Schemes that are neither Bearer nor Basic are left
 * out, and so is whatever follows a part that cannot be read: a registry's header must not end a pull.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap(parseHeader);
}

function parseHeader(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(header);
    if (match !== null) position = pattern.lastIndex;
    return match;
  };

  take(SEPARATORS);
  while (position < header.length) {
    const parameter = take(PARAMETER);
    if (parameter !== null) {
      const [, name = '', quoted, bare = ''] = parameter;
      const last = found.at(-1);
      if (last !== undefined) last.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare;
    } else {
      const scheme = take(TOKEN)?.[0];
      if (scheme === undefined) break;
      found.push({ scheme: scheme.toLowerCase(), parameters: {} });
    }
    take(SEPARATORS);
  }
  return found.filter((one): one is Challenge => one.scheme === 'bearer' || one.scheme === 'basic');
}

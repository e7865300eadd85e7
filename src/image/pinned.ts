import { isDigest } from './descriptor.ts';
import { formatReference, parseReference } from './reference.ts';

/** Makes a test for names that one of the patterns pins: a reference in any form, or its start and a `*`. */
export function pinnedBy(patterns: readonly string[]): (name: string) => boolean {
  const starts = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  const names = new Set(patterns.filter((pattern) => !pattern.endsWith('*')).map(fullName));
  return (name) =>
    names.has(name) || starts.some((start) => formsOf(name).some((form) => form.startsWith(start)));
}

/** What people write for a name: as it is recorded, and without what Docker's tools add. */
function formsOf(name: string): string[] {
  const match = /^docker\.io\/(library\/)?(.+)$/.exec(name);
  if (match === null) return [name];
  const [, library, rest = ''] = match;
  return library === undefined ? [name, rest] : [name, `${library}${rest}`, rest];
}

/** The name under which containerd records a reference; ids and what is no reference stay as they are. */
function fullName(pattern: string): string {
  if (isDigest(pattern)) return pattern;
  try {
    const reference = parseReference(pattern);
    return formatReference(reference.digest === null ? reference : { ...reference, tag: null });
  } catch {
    return pattern;
  }
}

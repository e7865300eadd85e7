/** Ids and digests are known by their first twelve digits. */
export function shortIds(text: string): string {
  return text.replaceAll(/(?:sha256:)?\b([0-9a-f]{12})[0-9a-f]{20,}\b/g, '$1');
}

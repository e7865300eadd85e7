/** The known name that was most likely meant, or null when none is close. */
export function nearest(name: string, known: readonly string[]): string | null {
  const folded = fold(name);
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(folded, fold(candidate)) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate ?? null;
}

/** logLevel, log-level and LOG_LEVEL are one name to a reader. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '');
}

/** Levenshtein's distance, one row of the table at a time. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [i, ours] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, theirs] of Array.from(b).entries()) {
      const replaced = (row[j] ?? 0) + (ours === theirs ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

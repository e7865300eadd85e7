const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes with three digits that count: `999 B`, `1.5 kB`, `23.4 MB`. Units are powers of a thousand. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

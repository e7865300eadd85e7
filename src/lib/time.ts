/** The longest that a timer of Node's can wait, about 24 days; with more it would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Now, in nanoseconds since 1970, at the precision of the wall clock that Node has: milliseconds. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

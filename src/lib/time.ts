/** Now, in nanoseconds since 1970, at the precision of the wall clock that Node has: milliseconds. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

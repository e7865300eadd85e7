import type { Timestamp__Output } from '../gen/google/protobuf/Timestamp.ts';

const NS_PER_SECOND = 1_000_000_000n;

/**
 * Nanoseconds since the epoch; 0 when there is no time. Go writes its zero time as a date
 * in the year 1, so everything before the epoch counts as "no time" too.
 */
export function nsFromTimestamp(timestamp: Timestamp__Output | null): bigint {
  if (!timestamp) return 0n;
  const ns = BigInt(timestamp.seconds) * NS_PER_SECOND + BigInt(timestamp.nanos);
  return ns > 0n ? ns : 0n;
}

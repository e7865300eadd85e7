import type { SpecOption } from './build.ts';
import type { OciRlimit } from './oci.ts';

/** Sets the limits of processes that the base spec leaves open. */
export function withRlimits(limits: readonly OciRlimit[]): SpecOption {
  return ({ process }) => {
    const own = process.rlimits ?? [];
    const more = limits.filter(({ type }) => !own.some((limit) => limit.type === type));
    const all = [...own, ...more.map((limit) => ({ ...limit }))];
    if (all.length > 0) process.rlimits = all;
  };
}

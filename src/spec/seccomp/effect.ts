/** What a filter does, for the tests of this folder and the tools that compare profiles. */
import type { OciSeccomp, OciSeccompArg } from '../oci.ts';

/** The action on a call with these arguments, and its error number: `ALLOW`, `ERRNO 38`, or `default`. */
export function effectOf({ syscalls }: OciSeccomp, name: string, args: readonly bigint[] = []): string {
  const actions = syscalls
    .filter(
      ({ names, args: conditions = [] }) => names.includes(name) && conditions.every((c) => holds(c, args)),
    )
    .map(
      ({ action, errnoRet }) =>
        `${action.replace('SCMP_ACT_', '')}${errnoRet === undefined ? '' : ` ${errnoRet}`}`,
    );
  return [...new Set(actions)].join(' and ') || 'default';
}

/** As the kernel compares: 64 bits without a sign. */
function holds({ index, value, valueTwo, op }: OciSeccompArg, args: readonly bigint[]): boolean {
  const given = BigInt.asUintN(64, args[index] ?? 0n);
  if (op === 'SCMP_CMP_EQ') return given === BigInt(value);
  if (op === 'SCMP_CMP_LT') return given < BigInt(value);
  if (op === 'SCMP_CMP_MASKED_EQ') return (given & BigInt(value)) === BigInt(valueTwo ?? 0);
  throw new Error(`${op} is not compared here`);
}

import type { OciSeccomp, OciSeccompArg, OciSyscallRule } from '../oci.ts';
import type { Rule } from './default-rules.ts';
import { DEFAULT_RULES } from './default-rules.ts';
import type { ProfileTerms } from './terms.ts';
import { isBefore, kernelVersion } from './terms.ts';

/** The machine's own kind of calls, and the others that its kernel answers too. */
const ARCHITECTURES: Record<string, readonly string[]> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_ARM', 'SCMP_ARCH_AARCH64'],
  s390x: ['SCMP_ARCH_S390', 'SCMP_ARCH_S390X'],
  riscv64: ['SCMP_ARCH_RISCV64'],
  loong64: ['SCMP_ARCH_LOONGARCH64'],
};

const RULED_BY = new Set(DEFAULT_RULES.flatMap((rule) => [rule.capability, rule.unlessCapability]));

/** By the terms that matter; containers differ in few of them, and a profile is some 10 KiB of JSON. */
const made = new Map<string, OciSeccomp>();

/** Pods choose their capabilities, and there are more sets of them than we care to remember. */
const MAX_MADE = 64;

/** The profile RuntimeDefault. Frozen, since specs share it. */
export function defaultSeccomp({ capabilities, arch, kernel }: ProfileTerms): OciSeccomp {
  const held = new Set(capabilities.filter((name) => RULED_BY.has(name)));
  const key = [arch, kernel, ...[...held].toSorted()].join(' ');
  const known = made.get(key);
  if (known) return known;
  const applies = DEFAULT_RULES.filter((rule) => holds(rule, { held, arch, version: kernelVersion(kernel) }));
  const profile = frozen({
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: [...(ARCHITECTURES[arch] ?? [])],
    syscalls: [unconditional(applies), ...applies.flatMap(conditional)],
  });
  if (made.size >= MAX_MADE) made.clear();
  made.set(key, profile);
  return profile;
}

interface Terms {
  held: ReadonlySet<string>;
  arch: string;
  version: readonly [major: number, minor: number];
}

function holds(rule: Rule, { held, arch, version }: Terms): boolean {
  if (rule.capability !== undefined && !held.has(rule.capability)) return false;
  if (rule.unlessCapability !== undefined && held.has(rule.unlessCapability)) return false;
  if (rule.architectures?.includes(arch) === false) return false;
  if (rule.notArchitectures?.includes(arch) === true) return false;
  return rule.kernel === undefined || !isBefore(version, rule.kernel);
}

/** All that is simply let through, in one rule with each name once. */
function unconditional(rules: Rule[]): OciSyscallRule {
  const plain = rules.filter(({ argument, errno }) => argument === undefined && errno === undefined);
  return { names: [...new Set(plain.flatMap(({ calls }) => calls))], action: 'SCMP_ACT_ALLOW' };
}

/** A runtime joins the conditions on one argument by "or" within a rule or without; one each is what all agree on. */
function conditional({ calls, argument, errno }: Rule): OciSyscallRule[] {
  const names = [...calls];
  if (errno !== undefined) return [{ names, action: 'SCMP_ACT_ERRNO', errnoRet: errno }];
  if (argument === undefined) return [];
  return comparisons(argument).map((arg) => ({ names, action: 'SCMP_ACT_ALLOW', args: [arg] }));
}

function comparisons(argument: NonNullable<Rule['argument']>): OciSeccompArg[] {
  const { index } = argument;
  if ('oneOf' in argument) return argument.oneOf.map((value) => ({ index, value, op: 'SCMP_CMP_EQ' }));
  if ('below' in argument) return [{ index, value: argument.below, op: 'SCMP_CMP_LT' }];
  return [{ index, value: argument.without, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }];
}

function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) frozen(member);
  }
  return Object.freeze(value);
}

import { during, Fault } from '../../lib/fault.ts';
import type { OciSeccomp, OciSeccompArg, OciSyscallRule } from '../oci.ts';
import type { ProfileTerms } from './terms.ts';
import { isBefore, kernelVersion } from './terms.ts';

type Json = Readonly<Record<string, unknown>>;

const ACTION = /^SCMP_ACT_(KILL|KILL_THREAD|KILL_PROCESS|TRAP|ERRNO|TRACE|ALLOW|LOG|NOTIFY)$/;
const OPERATOR = /^SCMP_CMP_(NE|LT|LE|EQ|GE|GT|MASKED_EQ)$/;
const ARCHITECTURE = /^SCMP_ARCH_[A-Z0-9_]+$/;

/** Node's names of architectures that libseccomp, or Docker's `includes`, spell in another way. */
const NATIVE: Record<string, string> = {
  x64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  arm: 'SCMP_ARCH_ARM',
  ia32: 'SCMP_ARCH_X86',
  ppc64: 'SCMP_ARCH_PPC64LE',
  s390x: 'SCMP_ARCH_S390X',
  riscv64: 'SCMP_ARCH_RISCV64',
  loong64: 'SCMP_ARCH_LOONGARCH64',
};
const GO_NAMES: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/**
 * A profile of the user's own: JSON as the OCI spec has it, or as Docker does, whose rules may depend on
 * capabilities, architecture and kernel. Throws `invalid_argument` that says what in it cannot be understood, since
 * a rule that is left out could be the one that matters.
 */
export function readSeccompProfile(
  { path, text }: { path: string; text: string },
  terms: ProfileTerms,
): OciSeccomp {
  try {
    return profileOf(objectOf(JSON.parse(text), 'the profile'), terms);
  } catch (error) {
    throw during(`seccomp profile ${path}`, error, 'invalid_argument');
  }
}

function profileOf(json: Json, terms: ProfileTerms): OciSeccomp {
  const listenerPath = optional(json, 'listenerPath', textOf);
  const listenerMetadata = optional(json, 'listenerMetadata', textOf);
  const defaultErrnoRet = optional(json, 'defaultErrnoRet', numberOf);
  const flags = optional(json, 'flags', textsOf);
  const rules = listOf(json['syscalls'] ?? [], 'syscalls');
  return {
    defaultAction: matching(ACTION, json['defaultAction'], 'defaultAction'),
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    architectures: architecturesOf(json, terms),
    ...(flags !== undefined && { flags }),
    ...(listenerPath !== undefined && { listenerPath }),
    ...(listenerMetadata !== undefined && { listenerMetadata }),
    syscalls: rules.flatMap((rule, i) => ruleOf(objectOf(rule, `syscalls[${i}]`), `syscalls[${i}]`, terms)),
  };
}

/** Docker's map lists for each native architecture the others that its kernel answers too. */
function architecturesOf(json: Json, { arch }: ProfileTerms): string[] {
  const listed = textsOf(json['architectures'] ?? [], 'architectures');
  const mapped = listOf(json['archMap'] ?? [], 'archMap').flatMap((entry, i) => {
    const { architecture, subArchitectures } = objectOf(entry, `archMap[${i}]`);
    if (architecture !== NATIVE[arch]) return [];
    return [textOf(architecture, 'architecture'), ...textsOf(subArchitectures ?? [], 'subArchitectures')];
  });
  return [...listed, ...mapped].map((name) => matching(ARCHITECTURE, name, 'architecture'));
}

function ruleOf(json: Json, at: string, terms: ProfileTerms): OciSyscallRule[] {
  const includes = objectOf(json['includes'] ?? {}, `${at}.includes`);
  const excludes = objectOf(json['excludes'] ?? {}, `${at}.excludes`);
  if (!includedBy(includes, terms) || excludedBy(excludes, terms)) return [];

  const single = optional(json, 'name', textOf);
  const names = single === undefined || single === '' ? textsOf(json['names'], `${at}.names`) : [single];
  if (names.length === 0) throw new Fault('invalid_argument', `${at} names no system call`);
  const errnoRet = optional(json, 'errnoRet', numberOf);
  const args = listOf(json['args'] ?? [], `${at}.args`).map((arg, i) => argumentOf(arg, `${at}.args[${i}]`));
  return [
    {
      names,
      action: matching(ACTION, json['action'], `${at}.action`),
      ...(errnoRet !== undefined && { errnoRet }),
      ...(args.length > 0 && { args }),
    },
  ];
}

function argumentOf(value: unknown, at: string): OciSeccompArg {
  const json = objectOf(value, at);
  const valueTwo = optional(json, 'valueTwo', numberOf);
  return {
    index: numberOf(json['index'] ?? 0, `${at}.index`),
    value: numberOf(json['value'] ?? 0, `${at}.value`),
    ...(valueTwo !== undefined && { valueTwo }),
    op: matching(OPERATOR, json['op'], `${at}.op`),
  };
}

/** Every capability that is named has to be there, and one of the architectures. */
function includedBy({ caps, arches, minKernel }: Json, terms: ProfileTerms): boolean {
  const wanted = textsOf(caps ?? [], 'includes.caps');
  const architectures = textsOf(arches ?? [], 'includes.arches');
  if (!wanted.every((name) => terms.capabilities.includes(name))) return false;
  if (architectures.length > 0 && !architectures.includes(goName(terms))) return false;
  return typeof minKernel !== 'string' || !isBefore(kernelVersion(terms.kernel), kernelVersion(minKernel));
}

/** Any one of them is enough. */
function excludedBy({ caps, arches, minKernel }: Json, terms: ProfileTerms): boolean {
  if (textsOf(caps ?? [], 'excludes.caps').some((name) => terms.capabilities.includes(name))) return true;
  if (textsOf(arches ?? [], 'excludes.arches').includes(goName(terms))) return true;
  return typeof minKernel === 'string' && !isBefore(kernelVersion(terms.kernel), kernelVersion(minKernel));
}

function goName({ arch }: ProfileTerms): string {
  return GO_NAMES[arch] ?? arch;
}

function optional<T>(json: Json, key: string, read: (value: unknown, at: string) => T): T | undefined {
  const value = json[key];
  return value === undefined || value === null ? undefined : read(value, key);
}

function objectOf(value: unknown, at: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new Fault('invalid_argument', `${at} is not an object`);
}

function listOf(value: unknown, at: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new Fault('invalid_argument', `${at} is not a list`);
}

function textsOf(value: unknown, at: string): string[] {
  return listOf(value, at).map((item) => textOf(item, at));
}

function textOf(value: unknown, at: string): string {
  if (typeof value === 'string') return value;
  throw new Fault('invalid_argument', `${at} is not a string`);
}

/** Larger numbers would lose digits on the way through JSON, and so compare with another value. */
function numberOf(value: unknown, at: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Fault('invalid_argument', `${at} is not a whole number from 0 to 2^53`);
}

function matching(pattern: RegExp, value: unknown, at: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new Fault('invalid_argument', `${at} ${JSON.stringify(value)} is not known`);
}

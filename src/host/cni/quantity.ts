import { Fault } from '../../lib/fault.ts';

/** A decimal power, or a binary one for the suffixes with an `i`. */
const SUFFIXES: Record<string, { ten?: number; two?: number }> = {
  n: { ten: -9 },
  u: { ten: -6 },
  m: { ten: -3 },
  '': { ten: 0 },
  k: { ten: 3 },
  M: { ten: 6 },
  G: { ten: 9 },
  T: { ten: 12 },
  P: { ten: 15 },
  E: { ten: 18 },
  Ki: { two: 10 },
  Mi: { two: 20 },
  Gi: { two: 30 },
  Ti: { two: 40 },
  Pi: { two: 50 },
  Ei: { two: 60 },
};

/** More than any quantity needs, and it keeps a power of ten from filling the memory. */
const MAX_EXPONENT = 30;

/** Reads a Kubernetes resource quantity such as `10M`, `1.5Gi` or `2e6`, rounded up to a whole. */
export function parseQuantity(text: string): bigint {
  const match = /^([+-]?)(\d{1,30})?(?:\.(\d{0,30}))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?$/.exec(
    text,
  );
  const [, sign, whole = '', fraction = '', suffix = '', exponent] = match ?? [];
  if (!match || whole + fraction === '') throw new Fault('invalid_argument', `"${text}" is not a quantity`);

  const scale = exponent === undefined ? (SUFFIXES[suffix] ?? {}) : { ten: Number(exponent) };
  const ten = scale.ten ?? 0;
  if (Math.abs(ten) > MAX_EXPONENT) throw new Fault('invalid_argument', `"${text}" is out of range`);
  const numerator = BigInt(whole + fraction) * 2n ** BigInt(scale.two ?? 0) * 10n ** BigInt(Math.max(ten, 0));
  const denominator = 10n ** BigInt(fraction.length + Math.max(-ten, 0));
  const value = (numerator + denominator - 1n) / denominator;
  return sign === '-' ? -value : value;
}

/** Milliseconds by the units of the header `grpc-timeout`. */
const UNITS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

/** The header has room for so many digits. */
const MAX_NUMBER = 99_999_999;

/** Milliseconds; null for no time-out, and for what is none. */
export function parseTimeout(text: string | undefined): number | null {
  const [, number, unit] = /^(\d{1,8})([HMSmun])$/.exec(text ?? '') ?? [];
  const factor = UNITS[unit ?? ''];
  return number === undefined || factor === undefined ? null : Number(number) * factor;
}

export function formatTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  return whole <= MAX_NUMBER ? `${whole}m` : `${Math.ceil(whole / 1_000)}S`;
}

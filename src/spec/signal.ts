import { constants } from 'node:os';
import type { Signal__Output } from '../gen/runtime/v1/Signal.ts';
import { Fault } from '../lib/fault.ts';

/** The real-time signals as the C library numbers them; the kernel's first two belong to its threads. */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** What no process can catch. */
export const { SIGKILL } = constants.signals;

/** Older names of signals, which Node's table does not list. */
const ALIASES: Record<string, number> = { SIGCLD: constants.signals.SIGCHLD };

/**
 * The number of a signal said in any of the ways that images and the CRI have: `SIGTERM`, `TERM`, `15`,
 * `SIGRTMIN+3`, or an entry of the CRI's enum such as `SIGNAL_SIGRTMINPLUS3`. Throws `invalid_argument`.
 */
export function signalNumber(signal: string): number {
  const number = /^\d+$/.test(signal) ? Number(signal) : numberOfName(signal.toUpperCase());
  if (number === null || number < 1 || number > SIGRTMAX) {
    throw new Fault('invalid_argument', `"${signal}" is not a signal`);
  }
  return number;
}

function numberOfName(word: string): number | null {
  const bare = word.replace(/^SIGNAL_/, '').replace(/^SIG/, '');
  const name = `SIG${bare}`;

  const realTime = /^SIGRT(MIN|MAX)(?:(\+|-|PLUS|MINUS)(\d+))?$/.exec(name);
  if (realTime) return realTimeNumber(realTime);

  const table: Record<string, number> = { ...constants.signals, ...ALIASES };
  return Object.hasOwn(table, name) ? (table[name] ?? null) : null;
}

/** Null when the offset leads out of the real-time range or away from it. */
function realTimeNumber([, end, sign, digits = '0']: RegExpExecArray): number | null {
  const up = sign === '+' || sign === 'PLUS';
  if (sign !== undefined && up !== (end === 'MIN')) return null;
  const number = end === 'MIN' ? SIGRTMIN + Number(digits) : SIGRTMAX - Number(digits);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : null;
}

/** The CRI's name of a signal, however it was said. Throws `invalid_argument`. */
export function criSignal(signal: string): Signal__Output {
  const number = signalNumber(signal);
  return `SIGNAL_${nameOfNumber(number)}` as Signal__Output;
}

function nameOfNumber(number: number): string {
  if (number < SIGRTMIN) {
    const entry = Object.entries(constants.signals).find(([, value]) => value === number);
    if (!entry) throw new Fault('invalid_argument', `signal ${number} has no name`);
    return entry[0];
  }
  if (number === SIGRTMIN) return 'SIGRTMIN';
  if (number === SIGRTMAX) return 'SIGRTMAX';
  return number < 50 ? `SIGRTMINPLUS${number - SIGRTMIN}` : `SIGRTMAXMINUS${SIGRTMAX - number}`;
}

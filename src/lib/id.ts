import { randomBytes } from 'node:crypto';

/** 64 lower-case hex digits, as every CRI runtime names its sandboxes and containers. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

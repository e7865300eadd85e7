import { wallClock } from '../host/syscalls.ts';

let second = -1;
let secondText = '';

/** Now in RFC 3339, UTC, always with nine digits of the second: "2026-11-23T12:00:00.000000001Z". */
export function timestamp(): string {
  const [seconds, nanoseconds] = wallClock();
  if (seconds !== second) {
    second = seconds;
    secondText = new Date(seconds * 1000).toISOString().slice(0, -4);
  }
  return `${secondText}${String(nanoseconds).padStart(9, '0')}Z`;
}

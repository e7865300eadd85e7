import type { Logger, LoggerOptions } from 'pino';
import { pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from '../config/schema.ts';

/** A stream to log to; a terminal says so by `isTTY`. */
export type LogStream = NodeJS.WritableStream & { isTTY?: boolean };

/** Registry credentials by the CRI's own names, and environment variables, in which people keep secrets. */
const SECRETS = ['auth', 'password', 'identityToken', 'registryToken', 'authorization', 'env', 'envs'];

/** How deep below the logged fields a secret is looked for: a whole CRI request has its own at the third. */
const DEPTH = 4;

/**
 * Readable lines on a terminal, else one JSON object per line. Node writes stderr synchronously on Linux, so
 * a line is out before the call returns.
 */
export async function createLogger(level: LogLevel, stream: LogStream = process.stderr): Promise<Logger> {
  const options: LoggerOptions = {
    level,
    base: null, // journald and the kubelet's log know the host and the process better than each line does
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: secretPaths(), censor: '[redacted]' },
  };
  return pino(options, stream.isTTY === true ? await terminal(stream) : stream);
}

// In this thread: a worker transport would lose the last lines, which tell why the daemon went.
async function terminal(stream: LogStream) {
  // A daemon has no terminal, and does without what writes to one.
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    colorize: true,
    sync: true,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    destination: stream,
  });
}

function secretPaths(): string[] {
  return SECRETS.flatMap((name) =>
    Array.from({ length: DEPTH }, (_, depth) => `${'*.'.repeat(depth)}${name}`),
  );
}

import type { Field } from './fields.ts';

/** A limit of getrlimit(2), as the OCI runtime spec has it. */
export interface Ulimit {
  /** Such as RLIMIT_NOFILE. */
  type: string;
  /** 2^64 is no limit, as near as a number comes to it. */
  soft: number;
  hard: number;
}

const NAMES = [
  'AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK',
].flatMap((line) => line.split(' '));

const FORM = new RegExp(`^(${NAMES.join('|')})=(\\d{1,15}|unlimited)(?::(\\d{1,15}|unlimited))?$`, 'i');

export function ulimitList(doc: string): Field<Ulimit[]> {
  return {
    doc,
    expects: 'a list of limits such as "nofile=1024:4096", "core=0" or "memlock=unlimited"',
    example: null,
    read(raw) {
      if (!Array.isArray(raw)) return undefined;
      const limits = raw.map(readUlimit).filter((limit) => limit !== undefined);
      return limits.length === raw.length ? limits : undefined;
    },
  };
}

/** NAME=SOFT:HARD, or NAME=BOTH. */
function readUlimit(raw: unknown): Ulimit | undefined {
  const [, name, soft, hard = soft] = (typeof raw === 'string' && FORM.exec(raw)) || [];
  if (name === undefined || soft === undefined || hard === undefined) return undefined;
  const limit = { type: `RLIMIT_${name.toUpperCase()}`, soft: readNumber(soft), hard: readNumber(hard) };
  return limit.soft <= limit.hard ? limit : undefined;
}

function readNumber(text: string): number {
  return text.toLowerCase() === 'unlimited' ? 2 ** 64 : Number(text);
}

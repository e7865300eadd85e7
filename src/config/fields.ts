import { isIP } from 'node:net';

/** One setting: what it means, what it may be, and how its TOML value becomes ours. */
export interface Field<T> {
  /** Whole sentences, for the printed default file and docs/configuration.md. */
  readonly doc: string;
  /** Completes "expected …". */
  readonly expects: string;
  /** What the reference shows for a key that is unset by default. */
  readonly example: string | null;
  /** Undefined refuses the value. TOML integers come as bigint, all other numbers as number. */
  read(raw: unknown): T | undefined;
}

/** A field for every key of T, so that a setting without one does not compile. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

/** sockaddr_un holds 108 bytes with the final zero (unix(7)). */
const SOCKET_PATH_BYTES = 107;

export function absolutePath(doc: string): Field<string> {
  return { doc, expects: 'an absolute path', example: null, read: readPath };
}

/** A path that may also be left to someone else's choice. */
export function optionalPath(doc: string): Field<string> {
  return {
    doc,
    expects: 'an absolute path, or "" for none',
    example: null,
    read: (raw) => (raw === '' ? '' : readPath(raw)),
  };
}

/** Takes the `unix://` form as well, because that is how the kubelet and crictl write endpoints. */
export function socketPath(doc: string): Field<string> {
  return {
    doc,
    expects: `an absolute path of a unix socket, at most ${SOCKET_PATH_BYTES} bytes`,
    example: null,
    read(raw) {
      const path = readPath(typeof raw === 'string' ? raw.replace(/^unix:\/\//, '') : raw);
      return path !== undefined && Buffer.byteLength(path) <= SOCKET_PATH_BYTES ? path : undefined;
    },
  };
}

/** A socket that may be left out, or be where it is by default. */
export function autoSocketPath(doc: string): Field<string> {
  const path = socketPath(doc);
  return {
    doc,
    expects: `"auto", "" for none, or ${path.expects}`,
    example: null,
    read: (raw) => (raw === 'auto' || raw === '' ? raw : path.read(raw)),
  };
}

/** Where something is served that is not for other machines: a unix socket, or a loopback address with its port. */
export function localAddress(doc: string): Field<string> {
  const path = socketPath(doc);
  return {
    doc,
    expects: `"" for none, a loopback address and port such as "127.0.0.1:9090", or ${path.expects}`,
    example: null,
    read: (raw) => (raw === '' || isLoopback(raw) ? raw : path.read(raw)),
  };
}

function isLoopback(raw: unknown): raw is string {
  const [, host = '', port] =
    typeof raw === 'string' ? (/^(127\.[\d.]+|\[::1\]):(\d{1,5})$/.exec(raw) ?? []) : [];
  return (host === '[::1]' || isIP(host) === 4) && Number(port) > 0 && Number(port) <= 65_535;
}

/** A web address that may be left out. */
export function optionalUrl(doc: string): Field<string> {
  return {
    doc,
    expects: 'an http or https URL, or "" for none',
    example: null,
    read: (raw) => (raw === '' || isWebUrl(raw) ? raw : undefined),
  };
}

function isWebUrl(raw: unknown): raw is string {
  return typeof raw === 'string' && URL.canParse(raw) && /^https?:$/.test(new URL(raw).protocol);
}

export function ipAddress(doc: string): Field<string> {
  return {
    doc,
    expects: 'an IPv4 or IPv6 address',
    example: null,
    read: (raw) => (typeof raw === 'string' && isIP(raw) !== 0 ? raw : undefined),
  };
}

export function pathList(doc: string): Field<string[]> {
  return {
    doc,
    expects: 'a list of one or more absolute paths',
    example: null,
    read(raw) {
      if (!Array.isArray(raw) || raw.length === 0) return undefined;
      const paths = raw.map(readPath).filter((path) => path !== undefined);
      return paths.length === raw.length ? paths : undefined;
    },
  };
}

export interface TextRule {
  expects: string;
  pattern: RegExp;
}

export function text(doc: string, { expects, pattern }: TextRule): Field<string> {
  return {
    doc,
    expects,
    example: null,
    read: (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : undefined),
  };
}

/** A list of texts, which may be empty. */
export function textList(doc: string, { expects, pattern }: TextRule): Field<string[]> {
  return {
    doc,
    expects,
    example: null,
    read: (raw) =>
      Array.isArray(raw) && raw.every((item) => typeof item === 'string' && pattern.test(item))
        ? (raw as string[])
        : undefined,
  };
}

/** A table whose keys belong to somebody else. Its whole numbers become ours. */
export function table(doc: string): Field<Record<string, unknown>> {
  return {
    doc,
    expects: 'a table',
    example: null,
    read: (raw) => (isTable(raw) ? (plainNumbers(raw) as Record<string, unknown>) : undefined),
  };
}

function isTable(raw: unknown): raw is object {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) && !(raw instanceof Date);
}

function plainNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plainNumbers(each)]));
}

export function oneOf<const T extends string>(doc: string, choices: readonly T[]): Field<T> {
  return {
    doc,
    expects: `one of ${choices.map((choice) => `"${choice}"`).join(', ')}`,
    example: null,
    read: (raw) => choices.find((choice) => choice === raw),
  };
}

/** A whole number between two bounds, both allowed. */
export function integer(doc: string, min: number, max: number): Field<number> {
  return {
    doc,
    expects: `a whole number from ${min} to ${max}`,
    example: null,
    read: (raw) => (typeof raw === 'bigint' && raw >= min && raw <= max ? Number(raw) : undefined),
  };
}

export function flag(doc: string): Field<boolean> {
  return { doc, expects: 'true or false', example: null, read: readBoolean };
}

/** Unset, it follows another setting. */
export function optionalFlag(doc: string): Field<boolean | null> {
  return { doc, expects: 'true or false', example: 'true', read: readBoolean };
}

/** How a refused value is shown: its type and, where it is short, the value itself. */
export function describeValue(raw: unknown): string {
  if (typeof raw === 'string') return `the string ${JSON.stringify(shorten(raw))}`;
  if (typeof raw === 'bigint') return `the number ${raw}`;
  if (typeof raw === 'number') return `the floating-point number ${raw}`;
  if (typeof raw === 'boolean') return String(raw);
  if (Array.isArray(raw)) return raw.length === 0 ? 'an empty list' : 'a list';
  return raw instanceof Date ? 'a date' : 'a table';
}

function readPath(raw: unknown): string | undefined {
  return typeof raw === 'string' && raw.startsWith('/') && !raw.includes('\0') ? raw : undefined;
}

function readBoolean(raw: unknown): boolean | undefined {
  return typeof raw === 'boolean' ? raw : undefined;
}

function shorten(value: string): string {
  return value.length > 60 ? `${value.slice(0, 60)}…` : value;
}

import { parse, TomlError } from 'smol-toml';
import type { Field, Fields } from './fields.ts';
import { describeValue } from './fields.ts';
import type { Position } from './locate.ts';
import { locateKeys } from './locate.ts';
import { nearest } from './nearest.ts';
import type { Config, RuntimeHandler, StreamingConfig } from './schema.ts';
import { defaultConfig, defaultRuntimeHandler } from './schema.ts';
import { HANDLER_NAME, runtimeFields, tables, topFields, toSnake } from './settings.ts';

export interface Problem extends Position {
  message: string;
}

export type Parsed = { config: Config; problems: [] } | { config: null; problems: Problem[] };

type RawTable = Record<string, unknown>;
type Path = readonly string[];
type Report = (path: Path, message: string) => void;

/** The options of runc's shims that are not settings of their own, by containerd's names for them. */
const RUNC_OPTIONS: Record<string, string> = {
  NoPivotRoot: 'boolean',
  NoNewKeyring: 'boolean',
  ShimCgroup: 'string',
  IoUid: 'number',
  IoGid: 'number',
  CriuImagePath: 'string',
  CriuWorkPath: 'string',
};

const SHIM_OPTIONS: Record<string, string> = { ConfigPath: 'string', TypeUrl: 'string' };

/** Reads every key before it complains, so that an operator mends a file once and not key by key. */
export function parseConfig(text: string): Parsed {
  let raw: RawTable;
  try {
    raw = parse(text, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { config: null, problems: [syntaxProblem(error)] };
  }

  const positionOf = locateKeys(text);
  const problems: Problem[] = [];
  const report: Report = (path, message) => {
    problems.push({ ...(positionOf(path) ?? { line: 1, column: 1 }), message });
  };
  const config = readDocument(raw, report);
  if (problems.length === 0) return { config, problems: [] };
  return { config: null, problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) };
}

/** The parser's own message is a headline, a reason and a drawing of the place: only the reason is news. */
function syntaxProblem(error: TomlError): Problem {
  const [headline = ''] = error.message.split('\n');
  return {
    line: error.line,
    column: error.column,
    message: headline.replace(/^Invalid TOML document: /, ''),
  };
}

function readDocument(raw: RawTable, report: Report): Config {
  const { containerd, cni, images, streaming, tracing, metrics, runtimes, ...rest } = raw;
  const fallback = defaultConfig();
  const top = readTable({ fields: topFields, raw: rest, base: fallback, path: [], report });
  const table = <T extends object>(name: keyof typeof tables, fields: Fields<T>, base: T, value: unknown) =>
    readTable({ fields, raw: asTable(value, [name], report), base, path: [name], report });

  const config: Config = {
    ...top,
    containerd: table('containerd', tables.containerd, fallback.containerd, containerd),
    cni: table('cni', tables.cni, fallback.cni, cni),
    images: table('images', tables.images, fallback.images, images),
    streaming: table('streaming', tables.streaming, fallback.streaming, streaming),
    tracing: table('tracing', tables.tracing, fallback.tracing, tracing),
    metrics: table('metrics', tables.metrics, fallback.metrics, metrics),
    runtimes: readRuntimes(asTable(runtimes, ['runtimes'], report), fallback.runtimes, report),
  };
  if (!Object.hasOwn(config.runtimes, config.defaultRuntime)) {
    const known = Object.keys(config.runtimes).join(', ');
    report(
      ['default_runtime'],
      `default_runtime: no table [runtimes.${config.defaultRuntime}]; there is ${known}`,
    );
  }
  checkStreaming(config.streaming, report);
  return config;
}

/** The options of runc's shims are known, and those of others are their own; neither must be dropped in silence. */
function checkHandler(name: string, handler: RuntimeHandler, report: Report): void {
  const path = ['runtimes', name];
  const isRunc = handler.type.startsWith('io.containerd.runc.');
  for (const [key, value] of Object.entries(handler.options)) {
    const expected = isRunc ? (RUNC_OPTIONS[key] ?? null) : (SHIM_OPTIONS[key] ?? typeof value);
    const at = [...path, 'options', key];
    if (expected === null) {
      const known = Object.keys(RUNC_OPTIONS).join(', ');
      report(
        at,
        `unknown key ${at.join('.')}; known here: ${known}; binary, root and systemd_cgroup are settings of the handler`,
      );
    } else if (typeof value !== expected) {
      report(at, `${at.join('.')}: expected a ${expected}, found ${describeValue(value)}`);
    }
  }
  for (const key of ['binary', 'root'] as const) {
    if (isRunc || handler[key] === '') continue;
    report(
      [...path, key],
      `${[...path, key].join('.')}: has no use with type "${handler.type}", whose shim is told by options`,
    );
  }
}

/** Files that would not be used are refused too: whoever names them believes in encryption. */
function checkStreaming({ tls, ...files }: StreamingConfig, report: Report): void {
  const check = (key: 'tlsCertFile' | 'tlsKeyFile' | 'clientCaFile', wanted: boolean | null) => {
    if (wanted === null || wanted === (files[key] !== '')) return;
    const name = `streaming.${toSnake(key)}`;
    report(
      ['streaming', wanted ? 'tls' : toSnake(key)],
      wanted
        ? `${name}: expected a path, since tls is "files"`
        : `${name}: has no use, since tls is "${tls}"`,
    );
  };
  check('tlsCertFile', tls === 'files');
  check('tlsKeyFile', tls === 'files');
  check('clientCaFile', tls === 'off' ? false : null);
}

function readRuntimes(
  raw: RawTable,
  base: Record<string, RuntimeHandler>,
  report: Report,
): Record<string, RuntimeHandler> {
  const runtimes = { ...base };
  for (const [name, value] of Object.entries(raw)) {
    const path = ['runtimes', name];
    if (!HANDLER_NAME.pattern.test(name)) {
      report(path, `${path.join('.')}: expected ${HANDLER_NAME.expects}`);
      continue;
    }
    let sound = true;
    const note: Report = (at, message) => {
      sound = false;
      report(at, message);
    };
    const handler = readTable({
      fields: runtimeFields,
      raw: asTable(value, path, note),
      base: Object.hasOwn(base, name) ? (base[name] ?? defaultRuntimeHandler()) : defaultRuntimeHandler(),
      path,
      report: note,
    });
    runtimes[name] = handler;
    if (sound) checkHandler(name, handler, report);
  }
  return runtimes;
}

interface TableInput<T, B extends T> {
  fields: Fields<T>;
  raw: RawTable;
  base: B;
  path: Path;
  report: Report;
}

function readTable<T extends object, B extends T>({ fields, raw, base, path, report }: TableInput<T, B>): B {
  const byName = new Map<string, [string, Field<unknown>]>(
    Object.entries<Field<unknown>>(fields).map(([key, field]) => [toSnake(key), [key, field]]),
  );
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(raw)) {
    const at = [...path, name];
    const known = byName.get(name);
    if (known === undefined) {
      report(at, unknownKey(at, [...byName.keys()]));
      continue;
    }
    const [key, field] = known;
    const accepted = field.read(value);
    if (accepted === undefined) {
      report(at, `${at.join('.')}: expected ${field.expects}, found ${describeValue(value)}`);
    }
    read[key] = accepted;
  }
  return { ...base, ...read };
}

function asTable(value: unknown, path: Path, report: Report): RawTable {
  if (value === undefined) return {};
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
    return value as RawTable;
  }
  report(path, `${path.join('.')}: expected a table, found ${describeValue(value)}`);
  return {};
}

function unknownKey(path: Path, known: string[]): string {
  const name = path.at(-1) ?? '';
  const owner = ownerOf(name);
  const candidates = path.length === 1 ? [...known, ...Object.keys(tables), 'runtimes'] : known;
  const meant = nearest(name, candidates);
  if (meant !== null) return `unknown key ${path.join('.')}; did you mean ${meant}?`;
  if (owner !== null) return `unknown key ${path.join('.')}; ${name} belongs ${owner}`;
  return `unknown key ${path.join('.')}; known here: ${candidates.join(', ')}`;
}

/** A key below the wrong header is the commonest slip in TOML, so say where it would be right. */
function ownerOf(name: string): string | null {
  const has = (fields: object) => Object.keys(fields).some((key) => toSnake(key) === name);
  if (has(topFields)) return 'at the top, before the first [table]';
  for (const [table, fields] of Object.entries(tables)) if (has(fields)) return `in [${table}]`;
  return has(runtimeFields) ? 'in [runtimes.NAME]' : null;
}

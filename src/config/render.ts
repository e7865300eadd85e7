import type { Field } from './fields.ts';
import { defaultConfig, defaultRuntimeHandler } from './schema.ts';
import { runtimeFields, tableDocs, tables, topFields, toSnake } from './settings.ts';
import { wrap } from './wrap.ts';

/** One row of the reference: a key, what it may be and what it is when nobody sets it. */
export interface ReferenceRow {
  key: string;
  field: Field<unknown>;
  fallback: unknown;
}

export interface ReferenceTable {
  /** As it stands between the brackets of its header, empty for the keys before the first one. */
  name: string;
  doc: string;
  rows: ReferenceRow[];
}

/** The whole reference in order, for the printed default file and for docs/configuration.md. */
export function reference(): ReferenceTable[] {
  const defaults = defaultConfig();
  const named = Object.entries(tables).map(([name, fields]) => {
    const table = name as keyof typeof tables;
    return { name, doc: tableDocs[table], rows: rowsOf(fields, defaults[table]) };
  });
  return [
    { name: '', doc: '', rows: rowsOf(topFields, defaults) },
    ...named,
    { name: 'runtimes.runc', doc: tableDocs.runtimes, rows: rowsOf(runtimeFields, defaultRuntimeHandler()) },
  ];
}

function rowsOf(fields: object, defaults: object): ReferenceRow[] {
  const fallbacks = new Map<string, unknown>(Object.entries(defaults));
  return Object.entries(fields as Record<string, Field<unknown>>).map(([key, field]) => ({
    key: toSnake(key),
    field,
    fallback: fallbacks.get(key),
  }));
}

/** A TOML file that says what is the case anyway, with every key explained. */
export function renderDefaultFile(): string {
  const parts = reference().map(({ name, doc, rows }) => {
    const header = name === '' ? [] : [...comment(doc), `[${name}]`, ''];
    return [...header, ...rows.flatMap(renderRow)].join('\n');
  });
  const title = comment(
    'The settings of cristal. Every value below is the default: keep only what you change.',
  );
  return `${[...title, '', ...parts].join('\n').trimEnd()}\n`;
}

function renderRow({ key, field, fallback }: ReferenceRow): string[] {
  const unset = fallback === null;
  const line = unset ? `# ${key} = ${field.example ?? '""'}` : `${key} = ${renderValue(fallback)}`;
  return [...comment(field.doc), ...comment(`Takes ${field.expects}.`), line, ''];
}

/** TOML's basic strings and arrays of them are JSON for everything that a default holds. */
export function renderValue(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(renderValue).join(', ')}]` : JSON.stringify(value);
}

function comment(text: string): string[] {
  return wrap(text, 98).map((line) => `# ${line}`);
}

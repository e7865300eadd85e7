import { readFileSync } from 'node:fs';
import { during, Fault } from '../lib/fault.ts';
import { flags } from './flags.ts';
import type { Parsed, Problem } from './parse.ts';
import { parseConfig } from './parse.ts';
import type { Config } from './schema.ts';
import { defaultConfig } from './schema.ts';

export const DEFAULT_CONFIG_FILE = '/etc/cristal/config.toml';

/** Where the settings came from, for the first line of the log. */
export interface Sources {
  /** Null: there was no file, the defaults hold. */
  file: string | null;
  /** Names of the options that outranked the file. */
  flags: string[];
}

/** The options of the command line as they were given; `config` names the file. */
export type GivenFlags = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Flags over file over defaults. The default file may be absent, a named one may not. Throws
 * `invalid_argument` with one line per problem, `not_found` or `internal` when the file cannot be read.
 */
export function readConfig(given: GivenFlags): { config: Config; sources: Sources } {
  const named = typeof given['config'] === 'string' ? given['config'] : null;
  const path = named ?? DEFAULT_CONFIG_FILE;
  const parsed = readConfigFile(path);
  if (parsed === null && named !== null) throw new Fault('not_found', `${path}: no such file`);
  if (parsed !== null && parsed.config === null) {
    throw new Fault('invalid_argument', formatProblems(path, parsed.problems));
  }
  const overlay = applyFlags(parsed?.config ?? defaultConfig(), given);
  return { config: overlay.config, sources: { file: parsed === null ? null : path, flags: overlay.used } };
}

/** Null when there is no such file. */
export function readConfigFile(path: string): Parsed | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw during(`read ${path}`, error);
  }
  return parseConfig(bytes.toString('utf8'));
}

/** As compilers write them, so that editors can jump to the place. */
export function formatProblems(path: string, problems: readonly Problem[]): string {
  return problems.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`).join('\n');
}

function applyFlags(base: Config, given: GivenFlags): { config: Config; used: string[] } {
  let config = base;
  const used: string[] = [];
  const refused: string[] = [];
  for (const flag of flags) {
    const value = given[flag.name];
    if (value === undefined) continue;
    const next = flag.apply(config, value);
    if (next === undefined) {
      refused.push(`--${flag.name}: expected ${flag.expects}, found ${JSON.stringify(value)}`);
      continue;
    }
    config = next;
    used.push(`--${flag.name}`);
  }
  if (refused.length > 0) throw new Fault('invalid_argument', refused.join('\n'));
  return { config, used };
}

import type { ParseArgsConfig } from 'node:util';
import { parseArgs } from 'node:util';
import { flags } from '../config/flags.ts';
import type { GivenFlags, Sources } from '../config/read.ts';
import { formatProblems, readConfig, readConfigFile } from '../config/read.ts';
import { renderDefaultFile } from '../config/render.ts';
import type { Config } from '../config/schema.ts';
import { messageOf } from '../lib/fault.ts';
import type { DoctorWish } from './doctor-command.ts';
import { doctorOptions, parseDoctorWish } from './doctor-command.ts';
import { helpText, versionText } from './help.ts';
import type { Given, ImageWish } from './image-command-line.ts';
import { parseImageWish, pullOptions } from './image-command-line.ts';
import type { TraceWish } from './trace-command-line.ts';
import { parseTraceWish, traceOptions } from './trace-command-line.ts';

/** What the command line asks for, ready to be done. */
export type Command =
  | { kind: 'daemon'; config: Config; sources: Sources }
  | (ImageWish & { config: Config })
  | (TraceWish & { config: Config })
  | (DoctorWish & { config: Config })
  /** Nothing to do but to say so: on stdout when `exitCode` is 0, else on stderr. */
  | { kind: 'print'; text: string; exitCode: number };

/** Exit codes: 1 for a file or setting that is wrong, 2 for a command line that is. */
const WRONG_SETTINGS = 1;
const WRONG_USAGE = 2;

/** Takes the arguments after the script's name. Never throws: what is wrong comes back as text to print. */
export function parseCommand(argv: readonly string[]): Command {
  const parsed = splitArguments(argv);
  if (typeof parsed === 'string') return usageError(parsed);
  const { given, words } = parsed;
  if (given['help'] === true) return print(helpText());
  if (given['version'] === true) return print(versionText());

  const [verb, ...operands] = [words.slice(0, 2).join(' '), ...words.slice(2)];
  const [file] = operands;
  const pullOnly = pullOptions.find(({ name }) => given[name] !== undefined);
  if (verb !== 'images pull' && pullOnly !== undefined) {
    return usageError(`--${pullOnly.name} is for images pull alone`);
  }
  const shared = words[0] === 'doctor' ? ['json'] : [];
  const traceOnly = traceOptions.find(({ name }) => given[name] !== undefined && !shared.includes(name));
  if (words[0] !== 'trace' && traceOnly !== undefined)
    return usageError(`--${traceOnly.name} is for trace alone`);
  const doctorOnly = doctorOptions.find(({ name }) => given[name] !== undefined);
  if (words[0] !== 'doctor' && doctorOnly !== undefined)
    return usageError(`--${doctorOnly.name} is for doctor alone`);
  if (words[0] === 'doctor') {
    const wish = parseDoctorWish(given, words.slice(1));
    if (typeof wish === 'string') return usageError(wish);
    return withSettings(given, (config) => ({ ...wish, config }));
  }
  if (words[0] === 'trace') {
    const wish = parseTraceWish(given, words.slice(1));
    if (typeof wish === 'string') return usageError(wish);
    return withSettings(given, (config) => ({ ...wish, config }));
  }
  if (words[0] === 'images') return imageCommand(given, words[1] ?? '', operands);
  switch (verb) {
    case '':
      return withSettings(given, (config, sources) => ({ kind: 'daemon', config, sources }));
    case 'config default':
      return operands.length === 0
        ? print(renderDefaultFile())
        : usageError('config default takes no argument');
    case 'config check':
      if (file === undefined || operands.length > 1) return usageError('config check takes one FILE');
      return checkFile(file);
    default:
      return usageError(`no such command: ${words.join(' ')}`);
  }
}

/** `cristal images VERB …` */
function imageCommand(given: Given, verb: string, operands: string[]): Command {
  const wish = parseImageWish(given, verb, operands);
  if (typeof wish === 'string') return usageError(wish);
  return withSettings(given, (config) => ({ ...wish, config }));
}

/** Answers a string when the arguments make no sense: what is wrong with them. */
function splitArguments(argv: readonly string[]): { given: Given; words: string[] } | string {
  const options: NonNullable<ParseArgsConfig['options']> = {
    config: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
  };
  for (const { name, takes } of [...pullOptions, ...traceOptions, ...doctorOptions])
    options[name] = { type: takes === '' ? 'boolean' : 'string' };
  for (const { name, repeated } of flags) options[name] = { type: 'string', multiple: repeated };
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    return { given: values as Given, words: positionals };
  } catch (error) {
    // Its first sentence says which option; what follows is about positional arguments that start with a dash.
    return messageOf(error).split('. ')[0] ?? '';
  }
}

function withSettings(given: Given, use: (config: Config, sources: Sources) => Command): Command {
  try {
    const { config, sources } = readConfig(given as GivenFlags);
    return use(config, sources);
  } catch (error) {
    return { kind: 'print', text: `${messageOf(error)}\n`, exitCode: WRONG_SETTINGS };
  }
}

function checkFile(path: string): Command {
  try {
    const parsed = readConfigFile(path);
    if (parsed === null) return { kind: 'print', text: `${path}: no such file\n`, exitCode: WRONG_SETTINGS };
    if (parsed.config !== null) return print(`${path}: ok\n`);
    return { kind: 'print', text: `${formatProblems(path, parsed.problems)}\n`, exitCode: WRONG_SETTINGS };
  } catch (error) {
    return { kind: 'print', text: `${messageOf(error)}\n`, exitCode: WRONG_SETTINGS };
  }
}

function print(text: string): Command {
  return { kind: 'print', text, exitCode: 0 };
}

function usageError(message: string): Command {
  return { kind: 'print', text: `cristal: ${message}; see cristal --help\n`, exitCode: WRONG_USAGE };
}

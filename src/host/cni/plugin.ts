import { during, Fault, isCode } from '../../lib/fault.ts';
import { span } from '../../lib/trace.ts';
import type { ProcessResult } from '../process.ts';
import { runProcess } from '../process.ts';
import type { PluginBinaries } from './binaries.ts';
import type { JsonObject } from './json-object.ts';
import { isJsonObject } from './json-object.ts';

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

/** One call of one plugin. */
export interface PluginCall {
  verb: Verb;
  type: string;
  network: string;
  /** Goes to the plugin's standard input. */
  config: JsonObject;
  /** The variables that say which attachment is meant. None for STATUS and GC. */
  env: Record<string, string>;
}

/** Runs a plugin and gives its standard output, or throws a Fault that names plugin, verb and network. */
export type RunPlugin = (call: PluginCall, signal?: AbortSignal) => Promise<string>;

/** How much of a plugin's output goes into an error message, in characters. */
const QUOTED = 1000;

/** In milliseconds. STATUS makes nothing, so there is no reason to wait for it as for an ADD. */
const STATUS_MS = 10_000;

/**
 * Plugins that fail give `unavailable`, as the next try may succeed; those that take longer than
 * `timeoutMs` are killed and give `deadline_exceeded`.
 */
export function createRunPlugin(options: { binaries: PluginBinaries; timeoutMs: number }): RunPlugin {
  const { binaries } = options;
  // Read once: Node asks the C library for each of them.
  const inherited = hostEnv();

  async function start(call: PluginCall, signal: AbortSignal | undefined): Promise<ProcessResult> {
    const env = {
      // Plugins call iptables and the like by PATH, and read proxies and such from what the host set.
      ...inherited,
      ...call.env,
      CNI_COMMAND: call.verb,
      CNI_PATH: binaries.dirs.join(':'),
    };
    const stdin = JSON.stringify(call.config);
    const timeoutMs = call.verb === 'STATUS' ? Math.min(options.timeoutMs, STATUS_MS) : options.timeoutMs;
    const run = async () =>
      runProcess({ file: await binaries.find(call.type), env, stdin, timeoutMs, signal });
    try {
      return await run();
    } catch (error) {
      if (!isCode(error, 'not_found')) throw error;
      // It was there when it was last looked for. An upgrade may have put it into another directory.
      binaries.forget(call.type);
      return await run();
    }
  }

  const run: RunPlugin = async (call, signal) => {
    const step = stepOf(call);
    let result: ProcessResult;
    try {
      result = await start(call, signal);
    } catch (error) {
      // A not_found of ours would tell the kubelet that its pod is gone.
      throw isCode(error, 'not_found') ? during(step, error, 'unavailable') : during(step, error);
    }
    if (result.code === 0) return result.stdout.toString('utf8');
    throw new Fault('unavailable', `${step}: ${describeFailure(result)}`);
  };
  return (call, signal) =>
    span('cni', `${call.type} ${call.verb}`, (own) => {
      own?.set('network', call.network);
      return run(call, signal);
    });
}

/** What a plugin that failed had to say, in one line. */
export function describeFailure(result: ProcessResult): string {
  const stdout = result.stdout.toString('utf8').trim();
  const stderr = result.stderr.toString('utf8').trim();
  const said = errorFrom(stdout);
  const ending = result.signal === null ? `exit code ${result.code}` : `killed by ${result.signal}`;
  const parts = said === null ? [ending, quoted('stdout', stdout)] : [said];
  return [...parts, quoted('stderr', stderr)].filter((part) => part !== '').join('; ');
}

/** The specification's error object (section 5). Null if the text is something else. */
function errorFrom(text: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null; // many a plugin that crashes prints plain text, which the caller quotes
  }
  if (!isJsonObject(value) || typeof value.msg !== 'string') return null;
  const details = typeof value.details === 'string' && value.details !== '' ? `: ${value.details}` : '';
  return `${value.msg}${details} (CNI code ${String(value.code)})`;
}

/** The end of it, as the last lines say why. */
function quoted(name: string, text: string): string {
  if (text === '') return '';
  const tail = text.length > QUOTED ? `…${text.slice(-QUOTED)}` : text;
  return `${name}: ${tail}`;
}

function hostEnv(): Record<string, string> {
  const set = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(set);
}

/** Says which call gave an answer that could not be read. */
export function badAnswer(call: PluginCall, error: unknown): Fault {
  return during(stepOf(call), error, 'internal');
}

function stepOf({ verb, network, type }: PluginCall): string {
  return `CNI ${verb} of network ${network}: plugin ${type}`;
}

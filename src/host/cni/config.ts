import { during, Fault } from '../../lib/fault.ts';
import type { JsonObject } from './json-object.ts';
import { isJsonObject } from './json-object.ts';
import { NEWEST_VERSION, newestSpoken, OLDEST_VERSION, speaksVersion } from './version.ts';

/** One plugin of a network, as its file has it. */
export interface PluginConfig {
  readonly type: string;
  /** Names of the capabilities that it asks to be told of. */
  readonly capabilities: readonly string[];
  readonly raw: JsonObject;
}

/** A network configuration list (CNI specification, section 1). */
export interface NetworkConfig {
  readonly name: string;
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  /** False: plugins may also stand in a directory named as the network, beside the file. */
  readonly loadOnlyInlinedPlugins: boolean;
  readonly plugins: readonly PluginConfig[];
}

const EXTENSIONS = ['.conf', '.conflist', '.json'];

/** The names that can hold a network configuration, in the order in which they are tried. */
export function configFileNames(names: readonly string[]): string[] {
  return names.filter((name) => EXTENSIONS.some((extension) => name.endsWith(extension))).sort();
}

/**
 * Reads the text of a `.conflist`, or of a `.conf` or `.json` with a single plugin, which becomes a
 * list of one. A `.conflist` may come out without plugins. Throws `invalid_argument` with the cause;
 * naming the file is for the caller.
 */
export function parseNetworkConfig(fileName: string, text: string): NetworkConfig {
  const raw = parseObject(text);
  if (fileName.endsWith('.conflist')) return networkFrom(raw, pluginsOf(raw));
  if (raw.type === undefined && Array.isArray(raw.plugins)) {
    throw invalid("a list of plugins belongs in a file that ends in '.conflist'");
  }
  return { ...networkFrom(raw, [pluginFrom(raw)]), loadOnlyInlinedPlugins: true };
}

/** Reads one plugin from a file of its own in the network's directory. */
export function parsePluginConfig(text: string): PluginConfig {
  return pluginFrom(parseObject(text));
}

function parseObject(text: string): JsonObject {
  if (text.trim() === '') throw invalid('is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw during('is not JSON', error, 'invalid_argument');
  }
  if (!isJsonObject(value)) throw invalid('is not a JSON object');
  return value;
}

function networkFrom(raw: JsonObject, plugins: PluginConfig[]): NetworkConfig {
  const { name } = raw;
  if (typeof name !== 'string' || name === '') throw invalid("'name' is missing");
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw invalid(`'name' is "${name}", but may only hold letters, digits, '_', '.' and '-'`);
  }
  return {
    name,
    cniVersion: versionOf(raw),
    disableCheck: flag(raw, 'disableCheck'),
    disableGC: flag(raw, 'disableGC'),
    loadOnlyInlinedPlugins: flag(raw, 'loadOnlyInlinedPlugins'),
    plugins,
  };
}

/** `cniVersions` offers several, of which the newest that we speak is used. */
function versionOf(raw: JsonObject): string {
  const { cniVersion, cniVersions } = raw;
  if (cniVersion !== undefined && typeof cniVersion !== 'string') throw invalid("'cniVersion' is not a text");
  if (cniVersions === undefined) {
    const version = cniVersion === undefined || cniVersion === '' ? OLDEST_VERSION : cniVersion;
    if (!speaksVersion(version)) throw invalid(`cniVersion ${version} is not known here: ${spokenHint()}`);
    return version;
  }
  if (!isTexts(cniVersions)) throw invalid("'cniVersions' is not a list of texts");
  const offered = cniVersion === undefined ? cniVersions : [...cniVersions, cniVersion];
  const version = newestSpoken(offered);
  if (version === null) {
    throw invalid(`none of the cniVersions ${offered.join(', ')} is known here: ${spokenHint()}`);
  }
  return version;
}

function spokenHint(): string {
  return `the newest is ${NEWEST_VERSION}`;
}

function pluginsOf(raw: JsonObject): PluginConfig[] {
  const { plugins = [] } = raw;
  if (!Array.isArray(plugins)) throw invalid("'plugins' is not a list");
  return plugins.map((plugin: unknown, index) => {
    try {
      if (!isJsonObject(plugin)) throw invalid('is not a JSON object');
      return pluginFrom(plugin);
    } catch (error) {
      throw during(`plugin ${index + 1}`, error);
    }
  });
}

function pluginFrom(raw: JsonObject): PluginConfig {
  const { type, capabilities = {} } = raw;
  if (typeof type !== 'string' || type === '') throw invalid("'type' is missing");
  if (/[/\\]/.test(type)) throw invalid(`'type' is "${type}", but is a file name and not a path`);
  if (!isJsonObject(capabilities)) throw invalid("'capabilities' is not a JSON object");
  const wanted = Object.entries(capabilities).filter(([, value]) => value === true);
  return { type, capabilities: wanted.map(([name]) => name), raw };
}

/** Files in the wild have these as texts too. */
function flag(raw: JsonObject, key: string): boolean {
  const value = raw[key] ?? false;
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value.toLowerCase() : '';
  if (text !== 'true' && text !== 'false') throw invalid(`'${key}' is neither true nor false`);
  return text === 'true';
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((member) => typeof member === 'string');
}

function invalid(message: string): Fault {
  return new Fault('invalid_argument', message);
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { during, Fault, messageOf } from '../../lib/fault.ts';
import type { NetworkConfig } from './config.ts';
import { configFileNames, parseNetworkConfig, parsePluginConfig } from './config.ts';

/** What a configuration directory gives: a network, or the reasons why it gives none. */
export interface ConfigState {
  readonly network: NetworkConfig | null;
  /** The file that the network is from, or ''. */
  readonly file: string;
  /** Why there is no network, naming the directory and each file. '' if there is one. */
  readonly problem: string;
  /** Files that come before the chosen one and were passed over, with the reason. */
  readonly passedOver: readonly string[];
}

/** Reads the first valid network by sorted file name. Never throws: what is wrong is in the answer. */
export async function readConfigDir(dir: string): Promise<ConfigState> {
  let names: string[];
  try {
    names = await namesIn(dir);
  } catch (error) {
    return none(isAbsent(error) ? `${dir} does not exist` : `cannot read ${dir}: ${messageOf(error)}`);
  }
  if (names.length === 0) return none(`${dir} has no .conflist, .conf or .json file`);

  const passedOver: string[] = [];
  for (const name of names) {
    try {
      const network = await readNetwork(dir, name);
      return { network, file: join(dir, name), problem: '', passedOver };
    } catch (error) {
      passedOver.push(`${name}: ${messageOf(error)}`);
    }
  }
  return { ...none(`no valid file in ${dir}: ${passedOver.join('; ')}`), passedOver };
}

async function readNetwork(dir: string, name: string): Promise<NetworkConfig> {
  const network = parseNetworkConfig(name, await readFile(join(dir, name), 'utf8'));
  const beside = network.loadOnlyInlinedPlugins ? [] : await readPlugins(join(dir, network.name));
  const plugins = [...network.plugins, ...beside];
  if (plugins.length === 0) throw new Fault('invalid_argument', 'has no plugins');
  return { ...network, plugins };
}

/** Plugins that others added to a network, a `.conf` file each. Most networks have no such directory. */
async function readPlugins(dir: string): Promise<NetworkConfig['plugins']> {
  let names: string[];
  try {
    names = await namesIn(dir);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
  const files = names.filter((name) => name.endsWith('.conf')).map((name) => join(dir, name));
  return Promise.all(
    files.map(async (file) => {
      try {
        return parsePluginConfig(await readFile(file, 'utf8'));
      } catch (error) {
        throw during(file, error);
      }
    }),
  );
}

async function namesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  return configFileNames(entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name));
}

function none(problem: string): ConfigState {
  return { network: null, file: '', problem: `no CNI network: ${problem}`, passedOver: [] };
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

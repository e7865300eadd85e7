import { join } from 'node:path';
import { readText } from '../host/files.ts';
import type { Endpoint } from '../image/hosts-toml.ts';
import { defaultEndpoint, hostDirectories, parseHostsToml } from '../image/hosts-toml.ts';

/**
 * Where to fetch a registry's images from, best first. Reads certs.d each time, so that a change needs
 * no restart. Throws `failed_precondition` if a hosts.toml is wrong.
 */
export async function endpointsFor(certsDir: string, host: string): Promise<Endpoint[]> {
  for (const directory of hostDirectories(host)) {
    const file = join(certsDir, directory, 'hosts.toml');
    const text = await readText(file);
    if (text !== null) return parseHostsToml(text, { file, host });
  }
  return [defaultEndpoint(host)];
}

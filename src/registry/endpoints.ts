import { join } from 'node:path';
import { listDir, readText } from '../host/files.ts';
import type { Endpoint } from '../image/hosts-toml.ts';
import { defaultEndpoint, hostDirectories, parseHostsToml } from '../image/hosts-toml.ts';

/**
 * Where to fetch a registry's images from, best first. Reads certs.d each time, so that a change needs
 * no restart. Throws `failed_precondition` if a hosts.toml is wrong, or a certificate has no key.
 */
export async function endpointsFor(certsDir: string, host: string): Promise<Endpoint[]> {
  for (const name of hostDirectories(host)) {
    const directory = join(certsDir, name);
    const file = join(directory, 'hosts.toml');
    const text = await readText(file);
    if (text !== null) return parseHostsToml(text, { file, host });
    const endpoint = defaultEndpoint(host, { directory, names: await listDir(directory) });
    if (endpoint.ca.length + endpoint.client.length > 0) return [endpoint];
  }
  return [defaultEndpoint(host)];
}

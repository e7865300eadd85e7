import { isAbsolute, join } from 'node:path';
import { parse } from 'smol-toml';
import { during, Fault } from '../lib/fault.ts';

/** One place to fetch a repository from, and how to speak to it. */
export interface Endpoint {
  /** `https://mirror.test/v2`: repository and object are appended. Never ends in a slash. */
  url: string;
  /** Another host than the one in the reference: it is told by `?ns=` whose content is meant. */
  mirror: boolean;
  pull: boolean;
  resolve: boolean;
  skipVerify: boolean;
  /** Paths of PEM files. */
  ca: string[];
  /** Paths of PEM files; one file may hold both. */
  client: { cert: string; key: string }[];
  headers: Record<string, string[]>;
}

/** The names that a registry's directory under certs.d may have, best first. */
export function hostDirectories(host: string): string[] {
  const underscored = host.replace(/:(\d+)$/, '_$1_');
  return [...new Set([underscored, host, '_default'])];
}

/**
 * The endpoint of a registry that has no hosts.toml. Its directory may hold certificates as Docker has
 * them: authorities in NAME.crt, our own in NAME.cert with NAME.key. Throws `failed_precondition` for one
 * without its key.
 */
export function defaultEndpoint(
  host: string,
  { directory, names }: { directory: string; names: readonly string[] } = { directory: '', names: [] },
): Endpoint {
  const sorted = names.toSorted();
  const ca = sorted.filter((name) => name.endsWith('.crt'));
  const client = sorted
    .filter((name) => name.endsWith('.cert'))
    .map((cert) => [cert, cert.replace(/\.cert$/, '.key')]);
  const alone = client.find(([, key = '']) => !names.includes(key));
  if (alone !== undefined) {
    throw new Fault('failed_precondition', `${directory}: ${alone.join(' has no ')}`);
  }
  return endpointFrom(
    upstreamHost(host),
    { ca, client },
    { host, file: join(directory, 'hosts.toml'), key: '' },
  );
}

/**
 * Reads a hosts.toml as containerd documents it: the mirrors in the order of the file, then the server
 * (the registry itself unless named). Relative paths start at the file's directory.
 * Throws `failed_precondition` naming the file and the key.
 */
export function parseHostsToml(text: string, { file, host }: { file: string; host: string }): Endpoint[] {
  const root = readToml(text, file);
  const mirrors = Object.entries(table(root, 'host', { file, key: '' })).map(([name, value]) => {
    const key = `host.${JSON.stringify(name)}`;
    if (!isTable(value)) throw wrong(file, key, 'a table');
    return endpointFrom(name, value, { host, file, key: `${key}.` });
  });

  const server = root['server'] ?? upstreamHost(host);
  if (typeof server !== 'string' || server === '') throw wrong(file, 'server', 'a URL');
  return [...mirrors, endpointFrom(server, root, { host, file, key: '' })];
}

type Table = Readonly<Record<string, unknown>>;

/** Where a value came from, for the message of a refusal. */
interface Place {
  file: string;
  key: string;
}

function endpointFrom(name: string, options: Table, place: Place & { host: string }): Endpoint {
  const ca = strings(options, 'ca', place).map((path) => besideFile(path, place.file));
  const client = clientPairs(options, place);
  const skipVerify = flag(options, 'skip_verify', place);
  const capabilities =
    options['capabilities'] === undefined ? ['pull', 'resolve'] : strings(options, 'capabilities', place);
  const plain = !name.includes('://') && isLoopback(name) && ca.length + client.length === 0 && !skipVerify;
  const withScheme = name.includes('://') ? name : `${plain ? 'http' : 'https'}://${name}`;
  const url = withApiPath(withScheme, flag(options, 'override_path', place), place);
  return {
    url,
    mirror: new URL(url).host !== new URL(`${new URL(url).protocol}//${upstreamHost(place.host)}`).host,
    pull: capabilities.includes('pull'),
    resolve: capabilities.includes('resolve'),
    skipVerify,
    ca,
    client,
    headers: headersOf(options, place),
  };
}

/** `/v2` is the root of the registry's API, and is added unless the operator says the path is complete. */
function withApiPath(text: string, overridePath: boolean, place: Place): string {
  if (!URL.canParse(text)) throw wrong(place.file, place.key === '' ? 'server' : place.key, 'a URL');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw wrong(place.file, place.key === '' ? 'server' : place.key, 'an http or https URL');
  }
  const path = url.pathname.replace(/\/+$/, '');
  const complete = overridePath || path === '/v2' || path.endsWith('/v2');
  return `${url.origin}${complete ? path : `${path}/v2`}`;
}

function clientPairs(options: Table, place: Place): { cert: string; key: string }[] {
  const value = options['client'];
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((pair) => {
    const [cert, key, ...rest] = Array.isArray(pair) ? (pair as unknown[]) : [pair];
    if (typeof cert !== 'string' || (key !== undefined && typeof key !== 'string') || rest.length > 0) {
      throw wrong(place.file, `${place.key}client`, 'a path, or a list of paths or [cert, key] pairs');
    }
    return {
      cert: besideFile(cert, place.file),
      key: besideFile(key === undefined || key === '' ? cert : key, place.file),
    };
  });
}

function headersOf(options: Table, place: Place): Record<string, string[]> {
  const headers = table(options, 'header', place);
  return Object.fromEntries(
    Object.keys(headers).map((name) => [
      name,
      strings(headers, name, { ...place, key: `${place.key}header.` }),
    ]),
  );
}

function readToml(text: string, file: string): Table {
  try {
    return parse(text);
  } catch (error) {
    throw during(`read ${file}`, error, 'failed_precondition');
  }
}

function strings(options: Table, name: string, { file, key }: Place): string[] {
  const value = options[name];
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every(isText)) throw wrong(file, key + name, 'a string or a list of strings');
  return list;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function flag(options: Table, name: string, { file, key }: Place): boolean {
  const value = options[name] ?? false;
  if (typeof value !== 'boolean') throw wrong(file, key + name, 'true or false');
  return value;
}

function table(options: Table, name: string, { file, key }: Place): Table {
  const value = options[name] ?? {};
  if (!isTable(value)) throw wrong(file, key + name, 'a table');
  return value;
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(file: string, key: string, wanted: string): Fault {
  return new Fault('failed_precondition', `${file}: ${key} must be ${wanted}`);
}

function besideFile(path: string, file: string): string {
  return isAbsolute(path) ? path : join(file, '..', path);
}

/** Docker Hub's registry does not live under the name by which everybody calls it. */
function upstreamHost(host: string): string {
  return host === 'docker.io' ? 'registry-1.docker.io' : host;
}

function isLoopback(host: string): boolean {
  const name = host.replace(/\/.*$/, '').replace(/:\d+$/, '');
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

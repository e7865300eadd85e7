import { serverHost } from './credentials.ts';
import type { Reference } from './reference.ts';

/** What a server in a file of credentials stands for, such as `https://*.test:5000/team`. */
export interface CredentialScope {
  /** Host with port; `*` and `?` stand for characters of one part of the name. */
  host: string;
  /** Path of the repositories, without slashes at its ends; empty: all of them. */
  path: string;
}

/** Docker Hub's entry is `https://index.docker.io/v1/`, where the path is that of an API. */
export function parseScope(server: string): CredentialScope {
  const path = server
    .replace(/^https?:\/\//, '')
    .replace(/^[^/]*\/?/, '')
    .replace(/^v[12](?:\/|$)/, '')
    .replace(/\/+$/, '');
  return { host: serverHost(server), path };
}

/**
 * Whether an image's repository is in the scope, as the kubelet has it: as many parts in the host, each as
 * its pattern says, the same port, and a path that is below. A path ends at a slash: `team` is not `teams`.
 */
export function covers(scope: CredentialScope, { host, path }: Pick<Reference, 'host' | 'path'>): boolean {
  const [patterns, pattern] = splitPort(scope.host);
  const [parts, port] = splitPort(serverHost(host));
  const isHost = patterns.length === parts.length && pattern === port;
  return isHost && isBelow(path, scope.path) && patterns.every((part, at) => matches(parts[at] ?? '', part));
}

/** Orders scopes, the most telling first: plain hosts, then patterns; of these longer hosts, then longer paths. */
export function bySpecificity(one: CredentialScope, other: CredentialScope): number {
  return (
    Number(isPattern(one.host)) - Number(isPattern(other.host)) ||
    other.host.length - one.host.length ||
    other.path.length - one.path.length
  );
}

function isPattern(host: string): boolean {
  return /[*?]/.test(host);
}

/** The parts of a name, and the port behind it. An IPv6 address is one part. */
function splitPort(host: string): [parts: string[], port: string] {
  const [, name = host, port = ''] = /^(.*?)(?::([0-9]+))?$/.exec(host) ?? [];
  const isAddress = host.startsWith('[');
  if (isAddress && !name.endsWith(']')) return [[host], ''];
  return [isAddress ? [name] : name.split('.'), port];
}

function matches(part: string, pattern: string): boolean {
  if (!isPattern(pattern)) return part === pattern;
  const source = pattern
    .replace(/[^*?]/g, (character) => RegExp.escape(character))
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(part);
}

function isBelow(path: string, prefix: string): boolean {
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`);
}

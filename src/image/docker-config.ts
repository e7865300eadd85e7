import { during, Fault } from '../lib/fault.ts';
import { bySpecificity, covers, parseScope } from './credential-scope.ts';
import type { Credentials } from './credentials.ts';
import { fromPair, serverHost } from './credentials.ts';
import type { Reference } from './reference.ts';

type Table = Readonly<Record<string, unknown>>;

/**
 * What a Docker config.json has for an image's registry: the entry that fits it best. Hosts may be patterns,
 * and have paths, as in the kubelet's image pull secrets. Throws `failed_precondition`, without quoting anything secret, where
 * the file cannot be read, or leaves the credentials to a helper program.
 */
export function credentialsFromFile(
  text: string,
  { file, of: { host, path } }: { file: string; of: Pick<Reference, 'host' | 'path'> },
): Credentials {
  const root = readTable(text, file);
  const [best] = Object.entries(asTable(root['auths'], `${file}: auths`))
    .map(([server, entry]) => ({ server, entry, scope: parseScope(server) }))
    .filter(({ scope }) => covers(scope, { host, path }))
    .toSorted((a, b) => bySpecificity(a.scope, b.scope));

  const helpers = asTable(root['credHelpers'], `${file}: credHelpers`);
  const helped = Object.keys(helpers).some((server) => serverHost(server) === serverHost(host));
  const credentials = best === undefined ? none : credentialsOf(best.entry, `${file}: auths.${best.server}`);
  const stored = best !== undefined && credentials.kind === 'none' && root['credsStore'] !== undefined;
  if (helped || stored) {
    const key = helped ? 'credHelpers' : 'credsStore';
    throw new Fault(
      'failed_precondition',
      `${file}: ${key}, which ${host} needs, is not supported; use auths`,
    );
  }
  return credentials;
}

const none: Credentials = { kind: 'none' };

function credentialsOf(value: unknown, what: string): Credentials {
  const entry = asTable(value, what);
  const text = (name: string) => {
    const field = entry[name] ?? '';
    if (typeof field !== 'string') throw new Fault('failed_precondition', `${what}.${name} must be a string`);
    return field;
  };
  if (text('identitytoken') !== '') return { kind: 'identity', token: text('identitytoken') };
  if (text('registrytoken') !== '') return { kind: 'registry', token: text('registrytoken') };
  if (text('username') !== '')
    return { kind: 'basic', username: text('username'), password: text('password') };
  if (text('auth') === '') return none;
  try {
    return fromPair(text('auth'));
  } catch (error) {
    throw during(what, error, 'failed_precondition');
  }
}

function readTable(text: string, file: string): Table {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    // The parser's words quote the file, which is full of secrets.
    throw new Fault('failed_precondition', `${file} is not JSON`);
  }
  return asTable(root, file);
}

function asTable(value: unknown, what: string): Table {
  const table = value ?? {};
  if (typeof table !== 'object' || Array.isArray(table)) {
    throw new Fault('failed_precondition', `${what} must be an object`);
  }
  return table as Table;
}

import { createHash } from 'node:crypto';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.ts';
import { Fault } from '../lib/fault.ts';

/** What a pull may show to its registry. Never logged: only `fingerprint` may leave this value. */
export type Credentials =
  | { kind: 'none' }
  | { kind: 'basic'; username: string; password: string }
  /** An OAuth2 refresh token, exchanged for access tokens at the registry's token server. */
  | { kind: 'identity'; token: string }
  /** A bearer token for the registry itself. */
  | { kind: 'registry'; token: string };

/** Who asks for credentials. */
export interface Asker {
  host: string;
  /** May see those that name no server: the kubelet, which leaves it out, means the image's own registry. */
  isTrusted: boolean;
}

/**
 * Picks the form that the kubelet filled in. Credentials for another server than the asker are not used.
 * Throws `invalid_argument`, without quoting anything secret, where `auth` cannot be read.
 */
export function credentialsFromAuth(auth: AuthConfig__Output | null, asker: Asker): Credentials {
  if (auth === null || !isFor(auth.serverAddress, asker)) return { kind: 'none' };
  if (auth.username !== '') return { kind: 'basic', username: auth.username, password: auth.password };
  if (auth.identityToken !== '') return { kind: 'identity', token: auth.identityToken };
  if (auth.registryToken !== '') return { kind: 'registry', token: auth.registryToken };
  return auth.auth === '' ? { kind: 'none' } : fromPair(auth.auth);
}

/** The same for equal credentials, and tells nothing about them. */
export function fingerprint(auth: AuthConfig__Output | Credentials | null): string {
  return createHash('sha256').update(JSON.stringify(auth)).digest('hex');
}

/** Base64 of `username:password`. Throws `invalid_argument`, without quoting it, for anything else. */
export function fromPair(encoded: string): Credentials {
  const decoded = Buffer.from(encoded, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon <= 0) throw new Fault('invalid_argument', 'auth.auth is not base64 of "username:password"');
  // Docker's tools pad the password with NUL bytes.
  return {
    kind: 'basic',
    username: decoded.slice(0, colon),
    password: decoded.slice(colon + 1).replace(/\0+$/, ''),
  };
}

function isFor(serverAddress: string, { host, isTrusted }: Asker): boolean {
  return serverAddress === '' ? isTrusted : serverHost(serverAddress) === serverHost(host);
}

/** The host of a server as users write it, with or without a scheme and a path; Docker Hub has one name. */
export function serverHost(server: string): string {
  return hubName(server.replace(/^https?:\/\//, '').replace(/\/.*$/, ''));
}

function hubName(host: string): string {
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

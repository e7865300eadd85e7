import { Fault } from '../lib/fault.ts';
import { isDigest } from './descriptor.ts';

/** An image reference in its full form; at least one of `tag` and `digest` is set. */
export interface Reference {
  /** Host, with port if there is one: `docker.io`, `[::1]:5000`. */
  host: string;
  /** Path of the repository at its host: `library/busybox`. */
  path: string;
  tag: string | null;
  digest: string | null;
}

const PATH = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const HOST =
  /^(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;
const LONGEST_NAME = 255;

/**
 * Reads a reference as Docker's tools write it: a name without a host is of docker.io, one without a path
 * is of its `library`, one without tag and digest means `latest`. Throws `invalid_argument` naming the bad part.
 */
export function parseReference(text: string): Reference {
  const refuse = (why: string) =>
    new Fault('invalid_argument', `image reference ${JSON.stringify(text)}: ${why}`);
  if (text === '') throw refuse('it is empty');
  if (/^[0-9a-f]{64}$/.test(text)) throw refuse('it is an image id, which no registry knows');

  const at = text.indexOf('@');
  const digest = at === -1 ? null : text.slice(at + 1);
  if (digest !== null && !isDigest(digest)) {
    throw refuse(`${JSON.stringify(digest)} is not a digest (such as sha256: and 64 lower-case hex digits)`);
  }

  const { name, tag } = splitTag(at === -1 ? text : text.slice(0, at));
  if (tag !== null && !TAG.test(tag)) throw refuse(`${JSON.stringify(tag)} is not a valid tag`);

  const { host, path } = splitHost(name);
  if (!HOST.test(host)) throw refuse(`${JSON.stringify(host)} is not a valid registry host`);
  const port = portOf(host);
  if (port !== null && port > 65_535) throw refuse(`port ${port} is out of range`);

  if (path === '') throw refuse('the repository is missing');
  if (path !== path.toLowerCase()) throw refuse(`repository ${JSON.stringify(path)} must be lower case`);
  const bad = path.split('/').find((part) => !PATH.test(part));
  if (bad !== undefined) throw refuse(`repository part ${JSON.stringify(bad)} is not valid`);
  if (host.length + 1 + path.length > LONGEST_NAME)
    throw refuse(`the name is over ${LONGEST_NAME} characters`);

  return { host, path, tag: tag ?? (digest === null ? 'latest' : null), digest };
}

/** `docker.io/library/busybox`: what tags and digests are appended to. */
export function repositoryOf(reference: Reference): string {
  return `${reference.host}/${reference.path}`;
}

/** The full form: repository, then `:tag`, then `@digest`, as far as they are set. */
export function formatReference({ tag, digest, ...name }: Reference): string {
  const tagged = tag === null ? '' : `:${tag}`;
  const pinned = digest === null ? '' : `@${digest}`;
  return `${name.host}/${name.path}${tagged}${pinned}`;
}

/** What to ask the registry for: the digest, where there is one, else the tag. */
export function objectOf(reference: Reference): string {
  return reference.digest ?? reference.tag ?? 'latest';
}

/** A colon after the last slash starts the tag; one before it belongs to a port or an IPv6 host. */
function splitTag(rest: string): { name: string; tag: string | null } {
  const colon = rest.lastIndexOf(':');
  if (colon <= rest.lastIndexOf('/') || rest.endsWith(']')) return { name: rest, tag: null };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1) };
}

/** The first part is a host if it could not be a user's name on Docker Hub. */
function splitHost(name: string): { host: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash === -1 ? '' : name.slice(0, slash);
  const isHost = /[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const host = isHost ? first : 'docker.io';
  const path = isHost ? name.slice(slash + 1) : name;

  if (host !== 'docker.io' && host !== 'index.docker.io') return { host, path };
  return { host: 'docker.io', path: path === '' || path.includes('/') ? path : `library/${path}` };
}

function portOf(host: string): number | null {
  const port = /:(\d+)$/.exec(host.replace(/^\[[^\]]*\]/, ''))?.[1];
  return port === undefined ? null : Number(port);
}

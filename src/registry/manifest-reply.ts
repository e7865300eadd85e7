import { createHash } from 'node:crypto';
import type { Descriptor } from '../image/descriptor.ts';
import { isDigest } from '../image/descriptor.ts';
import { isManifestType, MAX_MANIFEST_BYTES, parseManifest } from '../image/manifest.ts';
import type { Route } from './ask.ts';
import { failed, hostOf } from './ask.ts';
import { AttemptFailed } from './attempts.ts';
import type { HttpReply } from './http.ts';
import { discard, networkReason, readBody } from './http.ts';

/** Reads a descriptor off the headers alone; null where the server does not tell enough. */
export async function describe(ask: () => Promise<HttpReply>): Promise<Descriptor | null> {
  try {
    const reply = await ask();
    await discard(reply);
    const { headers } = reply;
    const digest = digestIn(headers);
    const size = Number(headers['content-length'] ?? 0);
    const mediaType = mediaTypeOf(headers['content-type']);
    // Only a type that names a manifest can be stored as the type of what is behind the name.
    const isTold = digest !== null && size > 0 && isManifestType(mediaType);
    return isTold ? { mediaType, digest, size, annotations: {} } : null;
  } catch (error) {
    // Some servers do not know HEAD; all know GET. Those that know what they refuse have been asked.
    const status = error instanceof AttemptFailed ? error.attempt.status : null;
    if (status !== null && status !== 404 && status !== 401 && status !== 403 && status !== 429) return null;
    throw error;
  }
}

/**
 * Takes what a reference points at, and so learns what it is. The bytes are those that the host says; if it
 * says nothing, their digest is one like `like`.
 */
export async function download(
  route: Route,
  reply: HttpReply,
  like: string,
): Promise<{ target: Descriptor; data: Buffer }> {
  const { headers } = reply;
  const told = digestIn(headers);
  const data = await bodyOf(route, reply, told);
  const { mediaType } = parseManifest(data, mediaTypeOf(headers['content-type']));
  const digest = told ?? digestOf(data, like);
  return { target: { mediaType, digest, size: data.length, annotations: {} }, data };
}

/** All of a manifest's bytes, which have the digest unless that is null. */
export async function bodyOf(route: Route, reply: HttpReply, digest: string | null): Promise<Buffer> {
  const data = await readWhole(route, reply);
  if (digest === null || digestOf(data, digest) === digest) return data;
  throw failed(hostOf(route), { reason: 'sent other bytes than asked for' });
}

async function readWhole(route: Route, reply: HttpReply): Promise<Buffer> {
  try {
    return await readBody(reply, MAX_MANIFEST_BYTES);
  } catch (error) {
    throw failed(hostOf(route), { reason: networkReason(error), cause: error });
  }
}

/** The digest of the bytes, by the algorithm of another digest. */
export function digestOf(data: Buffer, like: string): string {
  const algorithm = like.slice(0, like.indexOf(':'));
  return `${algorithm}:${createHash(algorithm).update(data).digest('hex')}`;
}

function digestIn({ 'docker-content-digest': told }: HttpReply['headers']): string | null {
  return typeof told === 'string' && isDigest(told) ? told : null;
}

function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').replace(/;.*$/, '').trim();
}

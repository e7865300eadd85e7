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
    const digest = String(headers['docker-content-digest'] ?? '');
    const size = Number(headers['content-length'] ?? 0);
    const mediaType = mediaTypeOf(headers['content-type']);
    // Only a type that names a manifest can be stored as the type of what is behind the name.
    const isTold = isDigest(digest) && size > 0 && isManifestType(mediaType);
    return isTold ? { mediaType, digest, size, annotations: {} } : null;
  } catch (error) {
    // Some servers do not know HEAD; all know GET. Those that know what they refuse have been asked.
    const status = error instanceof AttemptFailed ? error.attempt.status : null;
    if (status !== null && status !== 404 && status !== 401 && status !== 403 && status !== 429) return null;
    throw error;
  }
}

/** Downloads what the reference points at to learn what it is. */
export async function measure(route: Route, ask: () => Promise<HttpReply>): Promise<Descriptor> {
  const reply = await ask();
  const data = await bodyOf(route, reply);
  const { mediaType } = parseManifest(data, mediaTypeOf(reply.headers['content-type']));
  return { mediaType, digest: digestOf(data, 'sha256:'), size: data.length, annotations: {} };
}

/** All of a manifest's bytes. */
export async function bodyOf(route: Route, reply: HttpReply): Promise<Buffer> {
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

function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').replace(/;.*$/, '').trim();
}

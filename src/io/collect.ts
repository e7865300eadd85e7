import { Writable } from 'node:stream';

/** Keeps the first bytes of what is written to it. */
export interface Collector {
  readonly sink: Writable;
  /** What has come so far. */
  take(): Buffer;
}

/** What exceeds `limitBytes` is dropped, so that its writer never waits. */
export function collectHead(limitBytes: number): Collector {
  const chunks: Buffer[] = [];
  let size = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const kept = chunk.subarray(0, limitBytes - size);
      if (kept.length > 0) chunks.push(Buffer.from(kept)); // who writes may use its memory again
      size += kept.length;
      done();
    },
  });
  return { sink, take: () => Buffer.concat(chunks) };
}

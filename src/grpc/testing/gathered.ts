import type { Stream, StreamEvents } from '../http2-stream.ts';

/** Gathers what comes on a stream. */
export class Gathered implements StreamEvents {
  readonly lists: Map<string, string>[] = [];
  readonly chunks: Buffer[] = [];
  readonly over = Promise.withResolvers<Error | null>();
  drains = 0;
  stream: Stream | null = null;

  headers(headers: Map<string, string>): void {
    this.lists.push(headers);
  }
  data(bytes: Buffer): void {
    this.chunks.push(Buffer.from(bytes));
    this.stream?.consumed(bytes.length);
  }
  drained(): void {
    this.drains += 1;
  }
  closed(why: Error | null): void {
    this.over.resolve(why);
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

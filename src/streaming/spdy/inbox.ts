/** What a stream has received and its reader has not taken yet, with what that costs in memory. */
export class Inbox {
  #chunks: Buffer[] = [];
  #bytes = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** Bytes held, and what each chunk needs beside them: a peer may send frames of one byte. */
  get cost(): number {
    return this.#bytes + this.#chunks.length * CHUNK_COST;
  }

  /** Null when there is nothing. Small chunks come joined, so that readers are not called for each. */
  take(): Buffer | null {
    let count = 0;
    let bytes = 0;
    for (const chunk of this.#chunks) {
      if (count > 0 && bytes + chunk.length > BATCH_BYTES) break;
      count += 1;
      bytes += chunk.length;
    }
    if (count === 0) return null;
    const batch = this.#chunks.splice(0, count);
    this.#bytes -= bytes;
    return count === 1 ? (batch[0] as Buffer) : Buffer.concat(batch);
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }
}

const BATCH_BYTES = 64 * 1024;

/** About what a Buffer object of Node weighs. */
const CHUNK_COST = 128;

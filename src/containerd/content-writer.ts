import type { WriteContentRequest } from '../gen/containerd/services/content/v1/WriteContentRequest.ts';
import type { WriteContentResponse__Output } from '../gen/containerd/services/content/v1/WriteContentResponse.ts';
import type { BytesField } from '../grpc/messages.ts';
import { Fault, isCode } from '../lib/fault.ts';
import { freeBuffer } from '../lib/free-buffer.ts';
import type { CallOptions, Connection } from './connection.ts';
import { api } from './proto.ts';

/** What a new blob will be. */
export interface NewContent {
  /** Names the ingest, so that a later writer can go on with it. */
  ref: string;
  /** Bytes; 0 if not known. */
  total: number;
  /** The digest that it must have, or empty. */
  expected: string;
  /** Set when the blob is committed. */
  labels?: Record<string, string>;
  lease?: string;
}

/** Fills one ingest. One call at a time. */
export interface Writer extends AsyncDisposable {
  /** Bytes that containerd has or will be sent: at first those of an earlier, broken try. */
  readonly offset: number;
  /** Copies the chunk, and may return before containerd has it; a failure of that is told by a later call. */
  write(chunk: Uint8Array): Promise<void>;
  /** Checks size and digest and makes the blob. A blob that is there already is a success. */
  commit(labels: Record<string, string>): Promise<void>;
  /** Lets go of the ingest without losing its bytes. Resolves when another writer may take it. */
  close(): Promise<void>;
}

/** The number of `data` in WriteContentRequest. */
const DATA_FIELD = 6;

/** One message to containerd carries about so many bytes: small ones cost calls, large ones memory. */
const PIECE_BYTES = 256 * 1024;

/** So many messages may be unanswered. More than one, or the line is idle while containerd writes. */
const WINDOW = 4;

/** A containerd that does not answer to the end of a stream is left after this time. */
const CLOSE_MS = 2_000;

/**
 * Opens or resumes an ingest. `already_exists` when the expected blob is there; `unavailable`
 * while another writer has the same ref.
 */
export async function openWriter(
  connection: Connection,
  content: NewContent,
  options: CallOptions = {},
): Promise<Writer> {
  const { ref, total, expected, lease } = content;
  const call = connection.duplex(
    api['containerd.services.content.v1.Content'].Write,
    lease === undefined ? options : { ...options, lease },
  );
  const responses = call.responses[Symbol.asyncIterator]();

  const nextAnswer = async (): Promise<WriteContentResponse__Output> => {
    const answer = await responses.next();
    if (answer.done) throw new Fault('aborted', `containerd ended the writing of ${ref}`);
    return answer.value;
  };
  /** Answers come in the order of requests. A request that cannot be sent ends them. */
  const exchange = (
    request: WriteContentRequest,
    tail?: BytesField,
  ): Promise<WriteContentResponse__Output> => {
    call.send(request, tail);
    return nextAnswer();
  };

  const first = await exchange({ action: 'STAT', ref, total, expected });
  let sent = Number(first.offset);
  let piece: Buffer | null = null;
  let filled = 0;
  // Used in turn, because fresh ones would be garbage faster than it is collected.
  const spare: Buffer[] = [];
  const unanswered: Promise<unknown>[] = [];

  const sendPiece = (): void => {
    if (piece === null) return;
    const full = piece;
    const bytes = full.subarray(0, filled);
    const answer = exchange({ action: 'WRITE', ref, offset: sent }, { field: DATA_FIELD, bytes });
    const free = answer.then(() => spare.push(full));
    // It is awaited later, and whoever closes without that has a failure of its own.
    free.catch(() => {});
    unanswered.push(free);
    sent += filled;
    piece = null;
    filled = 0;
  };
  const waitFor = async (most: number): Promise<void> => {
    while (unanswered.length > most) await unanswered.shift();
  };

  const close = async (): Promise<void> => {
    sendPiece();
    call.end();
    const timer = setTimeout(() => call.cancel(), CLOSE_MS);
    try {
      while (!(await responses.next()).done);
    } catch {
      // The call has failed, and whoever wrote has been told. Either way it is closed.
    } finally {
      clearTimeout(timer);
      for (const unused of spare.splice(0)) freeBuffer(unused);
    }
  };

  return {
    get offset() {
      return sent + filled;
    },

    async write(chunk) {
      for (let start = 0; start < chunk.length; ) {
        piece ??= spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
        const part = chunk.subarray(start, start + piece.length - filled);
        piece.set(part, filled);
        start += part.length;
        filled += part.length;
        if (filled < piece.length) continue;
        sendPiece();
        await waitFor(WINDOW - 1);
      }
    },

    async commit(labels) {
      sendPiece();
      await waitFor(0);
      const merged = { ...content.labels, ...labels };
      try {
        await exchange({ action: 'COMMIT', ref, total, expected, offset: sent, labels: merged });
      } catch (error) {
        if (!isCode(error, 'already_exists')) throw error;
      }
      await close();
    },

    close,
    [Symbol.asyncDispose]: close,
  };
}

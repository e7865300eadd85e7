import type { WriteContentRequest } from '../gen/containerd/services/content/v1/WriteContentRequest.ts';
import type { WriteContentResponse__Output } from '../gen/containerd/services/content/v1/WriteContentResponse.ts';
import { Fault, isCode } from '../lib/fault.ts';
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
  /** Bytes that containerd has or is being sent: at first those of an earlier, broken try. */
  readonly offset: number;
  /** May return while containerd still writes; a failure of that is told by a later call. */
  write(chunk: Uint8Array): Promise<void>;
  /** Checks size and digest and makes the blob. A blob that is there already is a success. */
  commit(labels: Record<string, string>): Promise<void>;
  /** Lets go of the ingest without losing its bytes. Resolves when another writer may take it. */
  close(): Promise<void>;
}

/** Well below what one message may have. */
const CHUNK_BYTES = 1024 * 1024;

/** So many messages may be unanswered. More than one, or the line is idle while containerd writes. */
const WINDOW = 8;

/** How many chunks, each of up to a MiB, a writer may still read from after `write` has returned. */
export const HELD_CHUNKS = WINDOW;

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
  const exchange = (request: WriteContentRequest): Promise<WriteContentResponse__Output> => {
    call.send(request).catch(() => {});
    return nextAnswer();
  };

  const close = async (): Promise<void> => {
    call.end();
    const timer = setTimeout(() => call.cancel(), CLOSE_MS);
    try {
      while (!(await responses.next()).done);
    } catch {
      // The call has failed, and whoever wrote has been told. Either way it is closed.
    } finally {
      clearTimeout(timer);
    }
  };

  const first = await exchange({ action: 'STAT', ref, total, expected });
  let offset = Number(first.offset);
  const unanswered: Promise<unknown>[] = [];
  const waitFor = async (most: number): Promise<void> => {
    while (unanswered.length > most) await unanswered.shift();
  };

  return {
    get offset() {
      return offset;
    },

    async write(chunk) {
      for (let start = 0; start < chunk.length; start += CHUNK_BYTES) {
        const data = chunk.subarray(start, start + CHUNK_BYTES);
        const answer = exchange({ action: 'WRITE', ref, offset, data });
        // It is awaited later, and whoever closes without that has a failure of its own.
        answer.catch(() => {});
        unanswered.push(answer);
        offset += data.length;
        await waitFor(WINDOW - 1);
      }
    },

    async commit(labels) {
      await waitFor(0);
      const merged = { ...content.labels, ...labels };
      try {
        await exchange({ action: 'COMMIT', ref, total, expected, offset, labels: merged });
      } catch (error) {
        if (!isCode(error, 'already_exists')) throw error;
      }
      await close();
    },

    close,
    [Symbol.asyncDispose]: close,
  };
}

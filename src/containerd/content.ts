import type { Info__Output } from '../gen/containerd/services/content/v1/Info.ts';
import { Fault } from '../lib/fault.ts';
import { orNull, wasThere } from './absent.ts';
import type { CallOptions, Connection } from './connection.ts';
import type { NewContent, Writer } from './content-writer.ts';
import { openWriter } from './content-writer.ts';
import { api } from './proto.ts';
import { nsFromTimestamp } from './timestamp.ts';

/** A blob of the content store. */
export interface ContentInfo {
  digest: string;
  /** Bytes. */
  size: number;
  labels: Record<string, string>;
  createdAt: bigint;
}

/** A blob on its way in. */
export interface IngestStatus {
  ref: string;
  /** Bytes that are there. */
  offset: number;
  /** Bytes in all; 0 if not known. */
  total: number;
  expected: string;
  startedAt: bigint;
  updatedAt: bigint;
}

/** A blob to be made of bytes that are at hand. */
export interface SmallContent extends Required<Pick<NewContent, 'ref' | 'expected' | 'labels'>> {
  data: Uint8Array;
  lease?: string;
}

export type Content = ReturnType<typeof createContent>;

/** The number of `data` in WriteContentRequest. */
const DATA_FIELD = 6;

const service = api['containerd.services.content.v1.Content'];

export function createContent(connection: Connection) {
  const read = async function* (
    digest: string,
    { offset = 0, size = 0 }: { offset?: number; size?: number } = {},
    options?: CallOptions,
  ): AsyncGenerator<Buffer, void, undefined> {
    for await (const { data } of connection.serverStream(service.Read, { digest, offset, size }, options)) {
      yield data;
    }
  };

  return {
    async info(digest: string, options?: CallOptions): Promise<ContentInfo | null> {
      const found = await orNull(connection.unary(service.Info, { digest }, options));
      return found?.info ? infoFrom(found.info) : null;
    },

    /** Writes only what the paths name: `labels`, or `labels.<name>` for one. */
    async update(
      digest: string,
      labels: Record<string, string>,
      fieldPaths: string[],
      options?: CallOptions,
    ): Promise<void> {
      const request = { info: { digest, labels }, updateMask: { paths: fieldPaths } };
      await connection.unary(service.Update, request, options);
    },

    async list(filters: string[] = [], options?: CallOptions): Promise<ContentInfo[]> {
      const infos: ContentInfo[] = [];
      for await (const { info } of connection.serverStream(service.List, { filters }, options)) {
        infos.push(...info.map(infoFrom));
      }
      return infos;
    },

    /** The bytes from `offset`, `size` of them (0: to the end), in pieces. `not_found` if it is not there. */
    read,

    /** The whole blob, or `resource_exhausted` if it has more than `maxBytes`. */
    async readAll(digest: string, maxBytes: number, options?: CallOptions): Promise<Buffer> {
      const pieces: Buffer[] = [];
      let size = 0;
      for await (const piece of read(digest, {}, options)) {
        size += piece.length;
        if (size > maxBytes) {
          throw new Fault('resource_exhausted', `content ${digest} has more than ${maxBytes} bytes`);
        }
        pieces.push(piece);
      }
      return Buffer.concat(pieces, size);
    },

    /** Opens or resumes an ingest; see `openWriter`. */
    writer: (content: NewContent, options?: CallOptions): Promise<Writer> =>
      openWriter(connection, content, options),

    /**
     * Makes a whole blob by one message, so for small ones. What an earlier try left under its ref is
     * overwritten. Fails as `openWriter` and `commit` do; `already_exists` too, and then the lease has it.
     */
    async put(content: SmallContent, options: CallOptions = {}): Promise<void> {
      const { ref, expected, labels, data, lease } = content;
      const call = connection.duplex(service.Write, lease === undefined ? options : { ...options, lease });
      const request = { action: 'COMMIT', ref, total: data.length, expected, offset: 0, labels } as const;
      call.send(request, { field: DATA_FIELD, bytes: data });
      call.end();
      let answers = 0;
      for await (const _ of call.responses) answers++;
      if (answers === 0) throw new Fault('aborted', `containerd ended the writing of ${ref}`);
    },

    async status(ref: string, options?: CallOptions): Promise<IngestStatus | null> {
      const status = (await orNull(connection.unary(service.Status, { ref }, options)))?.status;
      if (!status) return null;
      return {
        ref: status.ref,
        offset: Number(status.offset),
        total: Number(status.total),
        expected: status.expected,
        startedAt: nsFromTimestamp(status.startedAt),
        updatedAt: nsFromTimestamp(status.updatedAt),
      };
    },

    /** Throws an ingest away. False if it was already gone. */
    abort: (ref: string, options?: CallOptions): Promise<boolean> =>
      wasThere(connection.unary(service.Abort, { ref }, options)),
  };
}

function infoFrom({ digest, size, labels, createdAt }: Info__Output): ContentInfo {
  return { digest, size: Number(size), labels, createdAt: nsFromTimestamp(createdAt) };
}

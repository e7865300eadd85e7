import type { MessagePort } from 'node:worker_threads';

export type StreamName = 'stdout' | 'stderr';

/**
 * What goes to who is attached; they answer with numbers, the bytes that they are done with. After
 * `end` or `tooSlow` nothing comes any more.
 */
export type TapMessage =
  | { readonly stream: StreamName; readonly chunk: Uint8Array<ArrayBuffer> }
  | { readonly end: 'all' | 'tooSlow' };

/**
 * How far who is attached may fall behind, in bytes. It has to be more than a container can say while
 * the API's event loop is busy for a moment.
 */
export const MAX_BEHIND = 16 * 1024 * 1024;

/** Gets a copy of a container's output in the log pump's thread, for one who is attached. */
export interface Tap {
  /** `chunk` is valid during the call only. */
  take(stream: StreamName, chunk: Buffer): void;
  end(): void;
}

/** Sends the streams in `wanted` over `port`, until the receiver closes it or is too far behind. */
export function createTap(port: MessagePort, wanted: readonly StreamName[]): Tap {
  let behind = 0;
  let open = true;
  port.on('message', (taken: number) => {
    behind -= taken;
  });
  const finish = (end: 'all' | 'tooSlow') => {
    if (open) port.postMessage({ end } satisfies TapMessage);
    open = false;
  };
  return {
    take(stream, chunk) {
      if (!open || !wanted.includes(stream)) return;
      if (behind + chunk.length > MAX_BEHIND) return finish('tooSlow');
      behind += chunk.length;
      const copy = new Uint8Array(chunk); // with a buffer of its own, which can be handed over
      port.postMessage({ stream, chunk: copy } satisfies TapMessage, [copy.buffer]);
    },
    end: () => finish('all'),
  };
}

import type { Writable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';

import { Fault } from '../lib/fault.ts';
import type { StreamName, TapMessage } from './tap.ts';
import { MAX_BEHIND } from './tap.ts';

/** Who gets a container's output. They are neither ended nor destroyed. */
export type OutputSinks = Readonly<Record<StreamName, Writable | null>>;

/** A container's output on its way to one who is attached. Disposing detaches. */
export interface Attachment extends Disposable {
  /**
   * Resolves when the output is at its end and the sinks have taken all, or when it was disposed. Rejects
   * with `resource_exhausted` when the sinks were too slow.
   */
  readonly ended: Promise<void>;
}

export function wantedStreams(sinks: OutputSinks): StreamName[] {
  return (['stdout', 'stderr'] as const).filter((name) => sinks[name] !== null);
}

/** The receiving side of a tap: see tap.ts. A sink that fails gets no more, and the others go on. */
export function receiveOutput(id: string, port: MessagePort, sinks: OutputSinks): Attachment {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  ended.catch(() => {}); // for a caller that does not wait for the end
  let unwritten = 0;
  let complete = false;
  const settle = (done: () => void) => {
    done();
    port.close();
    for (const sink of Object.values(sinks)) sink?.off('error', ignore);
  };
  const wasTaken = (bytes: number) => {
    unwritten -= bytes;
    port.postMessage(bytes);
    if (complete && unwritten === 0) settle(resolve);
  };
  for (const sink of Object.values(sinks)) sink?.on('error', ignore);
  port.on('message', (message: TapMessage) => {
    if ('chunk' in message) {
      const { stream, chunk } = message;
      unwritten += chunk.length;
      const sink = sinks[stream];
      if (sink?.writable) sink.write(chunk, () => wasTaken(chunk.length));
      else wasTaken(chunk.length);
    } else if (message.end === 'all') {
      complete = true;
      if (unwritten === 0) settle(resolve);
    } else {
      const behind = `${MAX_BEHIND / 1024 / 1024} MiB`;
      settle(() =>
        reject(new Fault('resource_exhausted', `attach to ${id} fell ${behind} behind and was ended`)),
      );
    }
  });
  // After an orderly end this changes nothing.
  port.on('close', () => reject(new Fault('unavailable', `attach to ${id}: the thread of the logs ended`)));
  return { ended, [Symbol.dispose]: () => settle(resolve) };
}

/** Its owner listens to a sink's errors; here they only must not become uncaught ones. */
function ignore(): void {}

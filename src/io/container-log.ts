import type { FifoStream } from './fifo-stream.ts';
import { readFifo } from './fifo-stream.ts';
import { Framer } from './framer.ts';
import type { LogWriterEvents } from './log-writer.ts';
import { openLogWriter } from './log-writer.ts';
import type { Tap } from './tap.ts';
import { timestamp } from './timestamp.ts';

/** Whose output goes where. */
export interface LogTarget {
  id: string;
  /** FIFO that the process writes to. */
  stdout: string;
  /** The same for its errors; not opened with a tty, which has one stream. */
  stderr: string;
  /** '' drops the output. */
  logPath: string;
  tty: boolean;
  maxLineBytes: number;
}

/** How the log of one container fares. */
export interface ContainerLogEvents extends Pick<LogWriterEvents, 'onFailure' | 'onRecovery' | 'onWritten'> {
  onReadError(error: Error): void;
}

/** The running transfer of one container's output to its log file. */
export interface ContainerLog {
  reopen(): Promise<void>;
  /** Resolves when every FIFO is at its end and all is written. */
  drained(): Promise<void>;
  /** Gives `tap` all that is read from now on, and its end. Answers how to take it off again. */
  attach(tap: Tap): () => void;
  /** Stops reading, writes what was read, releases everything. Idempotent. */
  close(): Promise<void>;
}

/** Opens log file and FIFOs; on failure nothing stays open. */
export async function openContainerLog(target: LogTarget, events: ContainerLogEvents): Promise<ContainerLog> {
  const streams: FifoStream[] = [];
  const writer = await openLogWriter(target.logPath, {
    ...events,
    onRoom: () => {
      for (const stream of streams) stream.resume();
    },
  });
  const ends: Promise<void>[] = [];
  const taps = new Set<Tap>();
  let ended = false;
  const follow = (name: 'stdout' | 'stderr', fifo: string) => {
    const framer = new Framer(name, target.maxLineBytes);
    const onChunk = (chunk: Buffer) => {
      for (const tap of taps) tap.take(name, chunk);
      return writer.write(framer.frame(chunk, timestamp()));
    };
    const stream = readFifo(fifo, { onChunk, onError: (error) => events.onReadError(error) });
    streams.push(stream);
    ends.push(stream.ended.then(() => void writer.write(framer.finish(timestamp()))));
  };
  try {
    follow('stdout', target.stdout);
    if (!target.tty && target.stderr !== '') follow('stderr', target.stderr);
  } catch (error) {
    for (const stream of streams) stream[Symbol.dispose]();
    await writer.close();
    throw error;
  }
  const drained = Promise.all(ends).then(() => {
    ended = true;
    for (const tap of taps) tap.end();
    return writer.flushed();
  });
  return {
    reopen: () => writer.reopen(),
    drained: () => drained,
    attach(tap) {
      taps.add(tap);
      if (ended) tap.end();
      return () => taps.delete(tap);
    },
    async close() {
      for (const stream of streams) stream[Symbol.dispose]();
      await drained;
      await writer.close();
    },
  };
}

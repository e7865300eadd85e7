import type { AppendFile } from '../host/files.ts';
import { openAppend } from '../host/files.ts';

/** With this many bytes in wait the streams of a container pause, until there are fewer. */
const FULL = 1024 * 1024;

/** What a writer tells of. */
export interface LogWriterEvents {
  /** There is room again for what `write` answers true to. */
  onRoom(): void;
  onWritten(bytes: number): void;
  /** The first of a row of failed writes. */
  onFailure(error: unknown): void;
  /** Writes work again; `lostBytes` were dropped in between. */
  onRecovery(lostBytes: number): void;
}

/** The log file of one container. Writes in the order of the calls, one at a time. */
export interface LogWriter {
  /** Takes over `lines`. False when the caller should pause until `onRoom`. */
  write(lines: Buffer): boolean;
  /** Opens the path anew, then writes there. What was handed over is in exactly one of the files. */
  reopen(): Promise<void>;
  /** Resolves when all that was handed over until now is written, or was dropped. */
  flushed(): Promise<void>;
  /** Writes what is left, then closes the file. Idempotent. */
  close(): Promise<void>;
}

/** Opens the log at `path`; '' drops all lines. Rejects where the file cannot be opened. */
export async function openLogWriter(path: string, events: LogWriterEvents): Promise<LogWriter> {
  let file: AppendFile | null = path === '' ? null : await openAppend(path);
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let lostBytes = 0;
  let tail: Promise<void> = Promise.resolve();

  const inTurn = (act: () => Promise<void>): Promise<void> => {
    const turn = tail.then(act);
    tail = turn.catch(() => {}); // its caller gets the error
    return turn;
  };

  async function writeWaiting(): Promise<void> {
    const lines = waiting.length === 1 && waiting[0] ? waiting[0] : Buffer.concat(waiting);
    waiting = [];
    if (lines.length === 0) return;
    try {
      await file?.append(lines);
      if (file !== null) events.onWritten(lines.length);
      if (lostBytes > 0) events.onRecovery(lostBytes);
      lostBytes = 0;
    } catch (error) {
      // A full disk must not stop the container: its output is read and dropped until there is room.
      if (lostBytes === 0) events.onFailure(error);
      lostBytes += lines.length;
    }
    waitingBytes -= lines.length;
    if (waitingBytes < FULL) events.onRoom();
  }

  async function swap(next: AppendFile | null): Promise<void> {
    const old = file;
    file = next;
    await old?.[Symbol.asyncDispose]();
  }

  return {
    write(lines) {
      if (file === null || lines.length === 0) return true;
      waiting.push(lines);
      waitingBytes += lines.length;
      if (waiting.length === 1) void inTurn(writeWaiting);
      return waitingBytes < FULL;
    },
    async reopen() {
      if (file === null) return;
      const next = await openAppend(path);
      await inTurn(() => swap(next));
    },
    flushed: () => tail,
    close: () => inTurn(() => swap(null)),
  };
}

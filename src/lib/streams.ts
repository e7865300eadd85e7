import type { Duplex, Readable, Writable } from 'node:stream';

/** A terminal's size in character cells. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/**
 * What one exec or attach session reads and writes, whichever protocol carries it. The memory of what is
 * written may be used again as soon as the write has called back, so who keeps it makes a copy.
 */
export interface RemoteStreams {
  /** Null where the wish did not ask for it, as for the other two. Its end is the client's half-close. */
  readonly stdin: Readable | null;
  readonly stdout: Writable | null;
  readonly stderr: Writable | null;
  /** Every new size, the last one that came before this call included. */
  onResize(listener: (size: TerminalSize) => void): void;
}

/** What an Attach request asked for. With a tty there is no stderr. */
export interface AttachWish {
  /** The full id. */
  readonly containerId: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** What an Exec request asked for. */
export interface ExecWish extends AttachWish {
  readonly cmd: string[];
}

/** What a PortForward request asked for. The CRI's ports are a hint: clients name theirs per stream. */
export interface PortForwardWish {
  /** The full id. */
  readonly sandboxId: string;
  readonly ports: number[];
}

/** What the streaming server needs from the rest of cristal: the work behind a connection. */
export interface Sessions {
  /**
   * Runs a process and resolves with its exit code, after all its output was written to the streams.
   * The signal fires when the client is gone; then the process and what it started are killed.
   */
  exec(wish: ExecWish, streams: RemoteStreams, signal: AbortSignal): Promise<number>;
  /** Ends when the container exits, or by the signal, which only detaches. */
  attach(wish: AttachWish, streams: RemoteStreams, signal: AbortSignal): Promise<void>;
  /** A connected socket that may be half open. Rejects with a Fault that names the port. */
  dial(wish: PortForwardWish, port: number, signal: AbortSignal): Promise<Duplex>;
}

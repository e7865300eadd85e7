import type { Logger } from 'pino';
import { Fault, messageOf } from '../lib/fault.ts';
import type { AttachWish, ExecWish, PortForwardWish, RemoteStreams, Sessions } from '../lib/streams.ts';
import type { Outcome } from './outcome.ts';

/** What one URL was given out for. */
export type Wish = CommandWish | { readonly kind: 'portforward'; readonly wish: PortForwardWish };

/** An exec or an attach. */
export type CommandWish =
  | { readonly kind: 'exec'; readonly wish: ExecWish }
  | { readonly kind: 'attach'; readonly wish: AttachWish };

/** What every session of one server shares. */
export interface SessionScope {
  readonly sessions: Sessions;
  readonly log: Logger;
  /** Fires when the server stops. */
  readonly stopping: AbortSignal;
  /** A connection on which nothing moved for so long is closed, in milliseconds. */
  readonly idleMs: number;
}

/** One client's connection for one exec or attach, in whichever protocol. */
export interface CommandCarrier {
  readonly streams: RemoteStreams;
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  /** Passes on the output that is left, then the outcome, and then closes the connection. */
  finish(outcome: Outcome): Promise<void>;
}

/** Runs one exec or attach over its connection, until both have ended. */
export async function runCommand(
  scope: SessionScope,
  command: CommandWish,
  carrier: CommandCarrier,
): Promise<void> {
  const gone = new AbortController();
  void carrier.closed.then(() => gone.abort(new Fault('cancelled', 'the client is gone')));
  const signal = AbortSignal.any([gone.signal, scope.stopping]);
  const outcome = await runToOutcome(scope, command, { streams: carrier.streams, signal });
  await carrier.finish(outcome);
}

async function runToOutcome(
  { sessions, log }: SessionScope,
  command: CommandWish,
  { streams, signal }: { streams: RemoteStreams; signal: AbortSignal },
): Promise<Outcome> {
  try {
    if (command.kind === 'exec') {
      return { kind: 'exit', code: await sessions.exec(command.wish, streams, signal) };
    }
    await sessions.attach(command.wish, streams, signal);
    return { kind: 'exit', code: 0 };
  } catch (err) {
    const { kind, wish } = command;
    // What breaks after the signal is its consequence, and the signal's reason says more.
    if (signal.aborted) {
      log.debug({ err, kind, containerId: wish.containerId, reason: signal.reason }, 'session cut short');
      return { kind: 'failure', message: messageOf(signal.reason) };
    }
    log.warn({ err, kind, containerId: wish.containerId }, 'session failed');
    return { kind: 'failure', message: messageOf(err) };
  }
}

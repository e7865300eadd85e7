import type { AttachWish } from '../lib/streams.ts';
import { flush } from './half-streams.ts';
import { statusJson, statusText } from './outcome.ts';
import { Resizes } from './resizes.ts';
import type { CommandCarrier } from './session.ts';
import type { Channels } from './websocket-channels.ts';

/** The first three as the file descriptors. */
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const RESIZE = 4;

/** Exec and attach over WebSocket, where each stream has a channel of a fixed number. */
export function openWebSocketCommand(channels: Channels, protocol: string, wish: AttachWish): CommandCarrier {
  const toText = /^v[45]\./.test(protocol) ? statusJson : statusText;
  const stdin = wish.stdin ? channels.source(STDIN) : null;
  const stdout = wish.stdout ? channels.sink(STDOUT) : null;
  const stderr = wish.stderr ? channels.sink(STDERR) : null;
  const resizes = new Resizes();
  channels.source(RESIZE).on('data', (chunk: Buffer) => resizes.write(chunk));
  // Some clients wait for a first message, even an empty one, before they send.
  void channels.send(wish.stdout ? STDOUT : wish.stderr ? STDERR : STATUS, Buffer.alloc(0));
  return {
    streams: { stdin, stdout, stderr, onResize: (listener) => resizes.listen(listener) },
    closed: channels.closed,
    async finish(outcome) {
      stdin?.destroy();
      await Promise.all([flush(stdout), flush(stderr)]);
      const text = toText(outcome);
      if (text !== '') await channels.send(STATUS, Buffer.from(text));
      await channels.close();
    },
  };
}

import { Fault } from '../lib/fault.ts';
import type { StuckView, TraceView } from '../observe/views.ts';
import { debugSocket } from '../store/paths.ts';
import { askDaemon } from './ask-daemon.ts';
import type { Command } from './command.ts';
import type { TraceList } from './trace-lists.ts';
import { renderStuck, renderTraces } from './trace-lists.ts';
import type { Screen } from './waterfall.ts';
import { renderWaterfall } from './waterfall.ts';

export type TraceCommand = Extract<Command, { kind: 'trace' }>;

/** What `cristal trace` prints. Throws `unavailable` when no daemon answers, `not_found` for no such trace. */
export async function traceText(command: TraceCommand, screen: Screen): Promise<string> {
  const { what, json, config } = command;
  const socket = debugSocket(config);
  if (socket === null)
    throw new Fault('failed_precondition', 'tracing.debug_socket is "": there is nobody to ask');
  const answer = await askDaemon(socket, pathOf(command));
  if (json) return `${JSON.stringify(answer, null, 2)}\n`;
  if (what === 'list') return renderTraces(answer as TraceList);
  if (what === 'stuck') return renderStuck((answer as { running: StuckView[] }).running);
  return renderWaterfall(answer as TraceView, screen);
}

function pathOf({ what, rpc }: TraceCommand): string {
  const query = rpc === null ? '' : `?rpc=${encodeURIComponent(rpc)}`;
  if (what === 'list') return `/traces${query}`;
  return what === 'stuck' ? `/stuck${query}` : `/traces/${what}`;
}

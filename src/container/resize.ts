import type { Logger } from 'pino';

import type { ProcessRef, Tasks } from '../containerd/tasks.ts';
import { isCode } from '../lib/fault.ts';
import type { TerminalSize } from '../lib/streams.ts';

/**
 * Takes sizes as they come and sets them one at a time. Of those that come while one is being set only the
 * last counts. A process that is gone has no size.
 */
export function terminalSizer(
  needs: { readonly tasks: Pick<Tasks, 'resizePty'>; readonly log: Logger },
  target: ProcessRef,
): (size: TerminalSize) => void {
  let wanted: TerminalSize | null = null;
  let busy = false;
  const set = async () => {
    busy = true;
    while (wanted !== null) {
      const size = wanted;
      wanted = null;
      await needs.tasks.resizePty({ ...target, ...size }).catch((err: unknown) => {
        if (!isCode(err, 'not_found'))
          needs.log.warn({ err, ...target, ...size }, 'could not resize terminal');
      });
    }
    busy = false;
  };
  return (size) => {
    wanted = size;
    if (!busy) void set();
  };
}

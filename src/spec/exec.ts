import { Fault } from '../lib/fault.ts';
import type { OciProcess } from './oci.ts';

/**
 * One more process for a running container: same user, environment, directory, capabilities and limits as its
 * first one. Throws `invalid_argument` without a command.
 */
export function buildExecProcess(first: OciProcess, args: string[], tty: boolean): OciProcess {
  if (args.length === 0) throw new Fault('invalid_argument', 'exec: cmd is empty');

  const knowsTerminal = first.env.some((entry) => entry.startsWith('TERM='));
  const env = tty && !knowsTerminal ? [...first.env, 'TERM=xterm'] : first.env;
  return { ...first, args: [...args], env, terminal: tty };
}

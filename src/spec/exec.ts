import { Fault } from '../lib/fault.ts';
import type { OciProcess, OciSpec } from './oci.ts';

/**
 * One more process for a running container: same user, environment, directory, capabilities and limits as its
 * first one. Throws `invalid_argument` without a command.
 */
export function buildExecProcess(spec: OciSpec, args: string[], tty: boolean): OciProcess {
  if (args.length === 0) throw new Fault('invalid_argument', 'exec: cmd is empty');

  const process = structuredClone(spec.process);
  const env = process.env;
  const knowsTerminal = env.some((entry) => entry.startsWith('TERM='));
  return {
    ...process,
    args: [...args],
    env: tty && !knowsTerminal ? [...env, 'TERM=xterm'] : env,
    terminal: tty,
  };
}

import type { Given } from './image-command-line.ts';

/** What is asked of the running daemon: the trace of a number, or one of the lists. */
export interface TraceWish {
  readonly kind: 'trace';
  readonly what: number | 'list' | 'stuck';
  /** Only calls of this name. */
  readonly rpc: string | null;
  /** As the daemon tells it. */
  readonly json: boolean;
}

/** The options of `cristal trace` alone. */
export const traceOptions = [
  { name: 'stuck', takes: '', doc: 'What runs right now, for how long, and in which stage it is.' },
  { name: 'rpc', takes: 'NAME', doc: 'Only calls of this kind, such as RunPodSandbox.' },
  { name: 'json', takes: '', doc: 'What the daemon answers, as it is.' },
] as const;

/** Takes what follows `cristal trace`. A string says what is wrong with it. */
export function parseTraceWish(given: Given, operands: readonly string[]): TraceWish | string {
  const [id] = operands;
  const rpc = typeof given['rpc'] === 'string' ? given['rpc'] : null;
  const stuck = given['stuck'] === true;
  if (operands.length > 1) return 'trace takes one ID at most';
  if (id !== undefined && !/^\d{1,15}$/.test(id)) return `${id} is not the number of a trace`;
  if (id !== undefined && (stuck || rpc !== null)) return 'an ID goes with neither --stuck nor --rpc';
  const list = stuck ? 'stuck' : 'list';
  return { kind: 'trace', what: id === undefined ? list : Number(id), rpc, json: given['json'] === true };
}

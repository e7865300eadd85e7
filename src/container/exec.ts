import { collectHead } from '../io/collect.ts';
import type { ExecNeeds, ExecOrder } from './exec-session.ts';
import { runSession } from './exec-session.ts';

/** What ran, and what it said. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** One process whose output is collected. */
export interface CollectOrder extends Omit<ExecOrder, 'tty'> {
  /** Bytes kept of each stream. The rest is read and dropped. */
  readonly limitBytes: number;
}

/** Runs a process without input and waits for it, as `runSession` does. */
export async function runExec(
  needs: ExecNeeds,
  order: CollectOrder,
  signal: AbortSignal,
): Promise<ExecResult> {
  const stdout = collectHead(order.limitBytes);
  const stderr = collectHead(order.limitBytes);
  const streams = { stdin: null, stdout: stdout.sink, stderr: stderr.sink, onResize: () => {} };
  const exitCode = await runSession(needs, { order: { ...order, tty: false }, streams }, signal);
  return { exitCode, stdout: stdout.take(), stderr: stderr.take() };
}

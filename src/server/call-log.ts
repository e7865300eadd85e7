import type { Logger } from 'pino';
import { codeOf } from '../lib/fault.ts';

const READS = new Set([
  'ContainerStats',
  'ContainerStatus',
  'GetContainerEvents',
  'ImageFsInfo',
  'ImageStatus',
  'PodSandboxStats',
  'PodSandboxStatus',
  'RuntimeConfig',
  'Status',
  'Version',
]);

/** True for RPCs that change nothing. The kubelet makes them every second. */
export function isRead(rpc: string): boolean {
  return READS.has(rpc) || rpc.startsWith('List') || rpc.startsWith('Stream');
}

/** Tells the end of one call. */
export interface CallLog {
  /** Gets the number of the call's trace as well, once there is one. */
  readonly log: Logger;
  succeeded(): void;
  failed(err: unknown): void;
}

/** Begins the log of a call, with the ids that its request names in every line. */
export function startCallLog(rpc: string, request: unknown, root: Logger): CallLog {
  const log = root.child({ rpc, ...idsOf(request) });
  const start = performance.now();
  const ms = (): number => Math.round(performance.now() - start);
  return {
    log,
    succeeded() {
      log[isRead(rpc) ? 'debug' : 'info']({ ms: ms() }, 'call done');
    },
    failed(err) {
      log[isExpected(rpc, err) ? 'debug' : 'error']({ err, code: codeOf(err), ms: ms() }, 'call failed');
    },
  };
}

/**
 * Answers that say nothing is wrong: a question about something that is gone, a watcher that left,
 * an RPC that we do not serve and the kubelet keeps trying.
 */
function isExpected(rpc: string, err: unknown): boolean {
  const code = codeOf(err);
  if (code === 'unimplemented') return true;
  return isRead(rpc) && (code === 'not_found' || code === 'cancelled');
}

function idsOf(request: unknown): { sandboxId?: string; containerId?: string } {
  const { podSandboxId, containerId } = request as { podSandboxId?: unknown; containerId?: unknown };
  return {
    ...(typeof podSandboxId === 'string' ? { sandboxId: podSandboxId } : {}),
    ...(typeof containerId === 'string' ? { containerId } : {}),
  };
}

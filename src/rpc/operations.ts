import type { Call } from '../lib/call.ts';
import { Fault } from '../lib/fault.ts';
import type { Tree } from '../lib/trace.ts';
import { awaitBranch, branch, enterPhase } from '../lib/trace.ts';

/** How long one operation may go on after its caller has left, in milliseconds, before it is rolled back. */
const OPERATION_MS = 240_000;

/** What the work of an operation gets: a signal that is its own, and a way to say where it is. */
export interface Operation {
  readonly signal: AbortSignal;
  readonly stage: (name: string) => void;
}

interface Running {
  fingerprint: string;
  result: Promise<unknown>;
  /** Its trace, which is its own, as it may outlive the call that started it. */
  tree: Tree | null;
  startedAt: number;
  stage: string;
  stageAt: number;
}

/** The identity of an operation: a second call of the same key and fingerprint joins the first. */
export interface OperationKey {
  /** Names the thing for messages, and tells operations apart, e.g. `RunPodSandbox default/web`. */
  readonly name: string;
  /** What was asked for. Another fingerprint under a running name is refused. */
  readonly fingerprint: string;
}

/**
 * Mutating calls that a client may repeat. The kubelet gives up after its time-out and calls again:
 * here the work goes on without it, and the repeated call joins it and gets its result.
 */
export class Operations {
  readonly #running = new Map<string, Running>();

  /**
   * Starts `work`, or joins it when it runs already. The caller's signal ends only the caller's wait.
   * @throws Fault already_exists for the same name with another fingerprint; deadline_exceeded or
   * cancelled, naming the stage, when the caller's time is over first.
   */
  async run<T>(key: OperationKey, call: Call, work: (operation: Operation) => Promise<T>): Promise<T> {
    const known = this.#running.get(key.name);
    if (known && known.fingerprint !== key.fingerprint) {
      throw new Fault('already_exists', `${key.name}: another call with a different config is running`);
    }
    const running = known ?? this.#start(key, call.rpc, work);
    return (await this.#waitFor(key, running, call)) as T;
  }

  /** Waits until nothing runs any more, for a daemon that is about to stop. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map((running) => running.result));
  }

  #start<T>(key: OperationKey, rpc: string, work: (operation: Operation) => Promise<T>): Running {
    const now = performance.now();
    const running: Running = {
      fingerprint: key.fingerprint,
      result: Promise.resolve(),
      tree: null,
      startedAt: now,
      stage: 'start',
      stageAt: now,
    };
    const stage = (name: string) => {
      enterPhase(name);
      Object.assign(running, { stage: name, stageAt: performance.now() });
    };
    const begun = branch('operation', rpc, () => work({ signal: AbortSignal.timeout(OPERATION_MS), stage }));
    begun.tree?.root.set('of', key.name);
    running.tree = begun.tree;
    running.result = begun.result.finally(() => this.#running.delete(key.name));
    // The caller may have left by the time this fails; those who wait still see the rejection.
    running.result.catch(() => {});
    this.#running.set(key.name, running);
    return running;
  }

  async #waitFor(key: OperationKey, running: Running, call: Call): Promise<unknown> {
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(timeUp(key, running, call.signal));
    if (call.signal.aborted) leave();
    call.signal.addEventListener('abort', leave, { once: true });
    try {
      return await awaitBranch(running.tree, () => Promise.race([running.result, left]));
    } finally {
      call.signal.removeEventListener('abort', leave);
    }
  }
}

function timeUp(key: OperationKey, running: Running, signal: AbortSignal): Fault {
  const now = performance.now();
  const seconds = (since: number) => ((now - since) / 1000).toFixed(1);
  const reason: unknown = signal.reason;
  const deadline = reason instanceof Error && reason.name === 'TimeoutError';
  return new Fault(
    deadline ? 'deadline_exceeded' : 'cancelled',
    `${key.name}: still at stage "${running.stage}" for ${seconds(running.stageAt)} s, ` +
      `${seconds(running.startedAt)} s in all; the work goes on, call again to join it`,
  );
}

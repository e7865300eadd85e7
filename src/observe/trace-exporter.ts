import { Agent as HttpsAgent } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Fault } from '../lib/fault.ts';
import { sendHttp } from '../lib/http-request.ts';
import { HttpAgent } from '../lib/node-http.ts';
import type { TraceSink, Tree } from '../lib/trace.ts';
import { encodeTrees } from './otlp.ts';
import { TraceIds } from './trace-ids.ts';

export interface ExporterOptions {
  /** Where traces are posted to. */
  readonly endpoint: string;
  /** Of a million traces that no client began, how many are exported. */
  readonly perMillion: number;
  /** What tells this daemon from others. */
  readonly resource: Readonly<Record<string, string>>;
  readonly log: Logger;
}

/** Spans in one request, more or less: a tree is never cut. */
const BATCH_SPANS = 512;

/** Spans that wait, or are under way. What comes while it is full is dropped. */
const MAX_SPANS = 8_192;

/** In milliseconds: how long spans wait for others, a request may take, and the last flush may take. */
const WAIT_MS = 5_000;
const REQUEST_MS = 10_000;
const FLUSH_MS = 3_000;

/** A collector that is away is tried again after this, twice as long each time, in milliseconds. */
const RETRY_MS = 1_000;
const MAX_TRIES = 5;

/** By the specification only these may be tried again. */
const RETRYABLE = new Set([429, 502, 503, 504]);

/** Sends ended traces to an OpenTelemetry collector. Never makes anybody wait, and never throws. */
export class TraceExporter implements TraceSink, AsyncDisposable {
  readonly #options: ExporterOptions;
  readonly #ids: TraceIds;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #queue: Tree[] = [];
  #queued = 0;
  #wake = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | null = null;
  #stopping = false;
  #isAway = false;
  /** Spans, since the start. */
  exported = 0;
  dropped = 0;

  constructor(options: ExporterOptions) {
    this.#options = options;
    const Agent = new URL(options.endpoint).protocol === 'https:' ? HttpsAgent : HttpAgent;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#ids = new TraceIds(options.perMillion);
    this.#loop = this.#run();
  }

  readonly treeEnded = (tree: Tree): void => {
    if (!this.#ids.isSampled(tree)) return;
    if (this.#queued + tree.size > MAX_SPANS) {
      this.dropped += tree.size;
      return;
    }
    this.#queue.push(tree);
    this.#queued += tree.size;
    if (this.#queued >= BATCH_SPANS) this.#wake.resolve();
    else this.#timer ??= setTimeout(() => this.#wake.resolve(), WAIT_MS).unref();
  };

  /** Sends what waits, for a bounded time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    this.#wake.resolve();
    const late = setTimeout(
      () => this.#stop.abort(new Fault('deadline_exceeded', 'cristal is stopping')),
      FLUSH_MS,
    );
    await this.#loop;
    clearTimeout(late);
    this.#forget(this.#queue);
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = null;
      while (this.#queue.length > 0 && !this.#stop.signal.aborted) await this.#send(this.#take());
    }
  }

  #take(): Tree[] {
    const batch: Tree[] = [];
    let spans = 0;
    while (this.#queue.length > 0 && spans < BATCH_SPANS) {
      const tree = this.#queue.shift() as Tree;
      batch.push(tree);
      spans += tree.size;
    }
    return batch;
  }

  async #send(batch: Tree[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const rejected = await this.#post(batch);
        this.#tell(null);
        return this.#count(batch, rejected);
      } catch (error) {
        this.#tell(error);
        const isFinal = error instanceof Refused || tries === MAX_TRIES || this.#stop.signal.aborted;
        if (isFinal) return this.#forget(batch);
      }
      const pause = this.#stopping ? RETRY_MS / 10 : RETRY_MS * 2 ** (tries - 1);
      await sleep(pause, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {});
    }
  }

  /** Answers how many spans the collector did not take. */
  async #post(batch: readonly Tree[]): Promise<number> {
    const body = encodeTrees(batch, this.#ids, this.#options.resource);
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(REQUEST_MS)]);
    const headers = { 'content-type': 'application/json' };
    const { endpoint } = this.#options;
    const reply = await sendHttp({
      method: 'POST',
      url: endpoint,
      headers,
      body,
      signal,
      agent: this.#agent,
    });
    const answer = await text(reply);
    const { statusCode = 0 } = reply;
    if (statusCode >= 200 && statusCode < 300) return rejectedSpans(answer);
    const message = `the collector answered ${statusCode}: ${answer.slice(0, 200)}`;
    throw RETRYABLE.has(statusCode) ? new Fault('unavailable', message) : new Refused(message);
  }

  #count(batch: readonly Tree[], rejected: number): void {
    const spans = sizeOf(batch);
    this.#queued -= spans;
    this.dropped += rejected;
    this.exported += spans - rejected;
  }

  #forget(batch: readonly Tree[]): void {
    this.#count(batch, sizeOf(batch));
  }

  /** One line when traces cannot be exported, and one when they can again. */
  #tell(err: unknown): void {
    const { log, endpoint } = this.#options;
    if (err !== null && !this.#isAway) log.warn({ err, endpoint }, 'traces cannot be exported');
    if (err === null && this.#isAway)
      log.info({ endpoint, dropped: this.dropped }, 'traces are exported again');
    this.#isAway = err !== null;
  }
}

/** The collector will not take this batch, however often it is sent. */
class Refused extends Error {}

function sizeOf(trees: readonly Tree[]): number {
  return trees.reduce((sum, { size }) => sum + size, 0);
}

/** A success may still tell of spans that were not taken. Collectors may answer anything with it. */
function rejectedSpans(answer: string): number {
  try {
    const { partialSuccess } = JSON.parse(answer) as { partialSuccess?: { rejectedSpans?: string | number } };
    return Number(partialSuccess?.rejectedSpans ?? 0) || 0;
  } catch {
    return 0; // it said that all is well, in whatever words
  }
}

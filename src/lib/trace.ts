import { AsyncLocalStorage } from 'node:async_hooks';
import type { FaultCode } from './fault.ts';
import { codeOf, messageOf } from './fault.ts';
import type { TraceContext } from './trace-context.ts';

/*
 * Where the time goes. A tree is one call, or one piece of work that outlives its caller; its spans are
 * the stages. The span that is current follows the code through every await, so that whoever begins a
 * stage need not be handed anything; outside of any tree, stages cost nothing and leave nothing.
 */

/** How a span ended. */
export type SpanCode = 'ok' | FaultCode;

export type AttributeValue = string | number | boolean;

/** How many spans one tree keeps. What comes after them is timed and counted, and not kept. */
const MAX_SPANS = 1_000;

/** How much of an error's message a span keeps, in characters. */
const MAX_ERROR = 500;

const current = new AsyncLocalStorage<Span>();

/** One stage. Kind and name come from short lists: ids and the like are attributes. */
export class Span {
  readonly kind: string;
  readonly name: string;
  readonly tree: Tree;
  /** As performance.now tells it, in milliseconds. */
  readonly start: number = performance.now();
  /** Null while it runs, as is `code`. */
  end: number | null = null;
  code: SpanCode | null = null;
  error: string | null = null;
  attributes: Record<string, AttributeValue> | null = null;
  /** Oldest first; null for none. */
  children: Span[] | null = null;
  /** The work that this stage waits for, which is a tree of its own. */
  link: Tree | null = null;
  #phase: Span | null = null;

  constructor(kind: string, name: string, tree: Tree) {
    this.kind = kind;
    this.name = name;
    this.tree = tree;
  }

  set(key: string, value: AttributeValue): void {
    this.attributes ??= {};
    this.attributes[key] = value;
  }

  /** Begins a stage of this one. Whoever begins it finishes it. */
  begin(kind: string, name: string): Span {
    const child = new Span(kind, name, this.tree);
    if (this.tree.admit()) {
      const parent = this.#phase ?? this;
      parent.children ??= [];
      parent.children.push(child);
    }
    return child;
  }

  /** Begins a phase, and ends the one before. What begins while a phase is on is a part of it. */
  phase(name: string): void {
    this.#endPhase();
    this.#phase = this.begin('phase', name);
  }

  finish(): void {
    this.#endPhase();
    this.#end('ok');
  }

  fail(error: unknown): void {
    this.#phase?.fail(error);
    this.#phase = null;
    this.error = messageOf(error).slice(0, MAX_ERROR);
    this.#end(codeOf(error));
  }

  #endPhase(): void {
    this.#phase?.finish();
    this.#phase = null;
  }

  #end(code: SpanCode): void {
    this.end = performance.now();
    this.code = code;
    this.tree.tracer.spanEnded(this);
  }
}

/** What a tree begins with. */
export interface RootOptions {
  readonly kind: string;
  readonly name: string;
  /** True for what happens often and changes nothing. */
  readonly quiet?: boolean;
  /** What a client says of the trace that its call is a part of. */
  readonly context?: TraceContext | null;
  readonly attributes?: Record<string, AttributeValue> | null;
}

/** One call, or one piece of work, with all of its stages. */
export class Tree {
  /** Counts up from 1 in each process. */
  readonly id: number;
  readonly tracer: Tracer;
  readonly root: Span;
  /** When it began, in milliseconds since 1970. */
  readonly wallMs: number = Date.now();
  readonly quiet: boolean;
  readonly context: TraceContext | null;
  /** The stage that began this work and may have left it since; null for what nobody else began. */
  readonly origin: Span | null;
  /** Spans that were not kept, since there were too many or the tree was over. */
  dropped = 0;
  #size = 1;

  constructor(tracer: Tracer, id: number, options: RootOptions & { origin?: Span }) {
    this.tracer = tracer;
    this.id = id;
    this.quiet = options.quiet ?? false;
    this.context = options.context ?? null;
    this.origin = options.origin ?? null;
    this.root = new Span(options.kind, options.name, this);
    this.root.attributes = options.attributes ?? null;
  }

  /** How many spans are kept. */
  get size(): number {
    return this.#size;
  }

  /** Whether there is room for one more span. */
  admit(): boolean {
    if (this.#size >= MAX_SPANS || this.root.end !== null) {
      this.dropped++;
      return false;
    }
    this.#size++;
    return true;
  }
}

/** Told of what has ended, at once. Must not throw. */
export interface TraceSink {
  /** Of every span, kept or not, roots too. */
  readonly spanEnded?: (span: Span) => void;
  readonly treeEnded?: (tree: Tree) => void;
}

/** Runs `act` outside of any tree: for what outlives the call that happens to begin it. */
export function outsideOfTrees<T>(act: () => T): T {
  return current.exit(act);
}

/** Makes trees, and knows those that run. */
export class Tracer {
  readonly #running = new Set<Tree>();
  readonly #spanSinks: ((span: Span) => void)[] = [];
  readonly #treeSinks: ((tree: Tree) => void)[] = [];
  #lastId = 0;

  add({ spanEnded, treeEnded }: TraceSink): void {
    if (spanEnded) this.#spanSinks.push(spanEnded);
    if (treeEnded) this.#treeSinks.push(treeEnded);
  }

  /** The trees that run, oldest first. */
  running(): Tree[] {
    return [...this.#running];
  }

  /** Runs `act` as a tree of its own. */
  async run<T>(options: RootOptions, act: (root: Span) => Promise<T> | T): Promise<T> {
    return await this.begin(options, act).result;
  }

  /** As `run`, and answers the tree at once. */
  begin<T>(options: RootOptions & { origin?: Span }, act: (root: Span) => Promise<T> | T): Begun<T> {
    const tree = new Tree(this, ++this.#lastId, options);
    this.#running.add(tree);
    return { tree, result: this.#finish(tree, act) };
  }

  /** For spans alone: says that one ended. */
  spanEnded(ended: Span): void {
    for (const sink of this.#spanSinks) sink(ended);
  }

  async #finish<T>(tree: Tree, act: (root: Span) => Promise<T> | T): Promise<T> {
    try {
      return await runIn(tree.root, act);
    } finally {
      this.#running.delete(tree);
      for (const sink of this.#treeSinks) sink(tree);
    }
  }
}

/** Work that was begun, and its tree; null where nobody traces. */
export interface Begun<T> {
  readonly result: Promise<T>;
  readonly tree: Tree | null;
}

/** Runs `act` as a stage of what runs now. It gets its span, or null where nobody traces. */
export async function span<T>(
  kind: string,
  name: string,
  act: (own: Span | null) => Promise<T> | T,
): Promise<T> {
  const parent = current.getStore();
  return parent === undefined ? await act(null) : await runIn(parent.begin(kind, name), act);
}

/** Runs `act` as a tree of its own, for work that may outlive what runs now. */
export function branch<T>(kind: string, name: string, act: () => Promise<T>): Begun<T> {
  const origin = current.getStore();
  if (origin === undefined) return { tree: null, result: Promise.try(act) };
  return origin.tree.tracer.begin({ kind, name, origin }, act);
}

/** Waits for work that is a tree of its own. */
export async function awaitBranch<T>(tree: Tree | null, wait: () => Promise<T>): Promise<T> {
  return await span('wait', tree?.root.kind ?? '', (own) => {
    if (own) own.link = tree;
    return wait();
  });
}

/** Says that the tree that runs now enters its next phase. */
export function enterPhase(name: string): void {
  current.getStore()?.tree.root.phase(name);
}

/** Notes something about the tree that runs now. */
export function annotate(key: string, value: AttributeValue): void {
  current.getStore()?.tree.root.set(key, value);
}

/** The stage that runs now, null where nobody traces. */
export function currentSpan(): Span | null {
  return current.getStore() ?? null;
}

async function runIn<T>(own: Span, act: (own: Span) => Promise<T> | T): Promise<T> {
  try {
    const result = await current.run(own, act, own);
    own.finish();
    return result;
  } catch (error) {
    own.fail(error);
    throw error;
  }
}

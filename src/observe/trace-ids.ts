import { randomBytes } from 'node:crypto';
import type { Span, Tree } from '../lib/trace.ts';
import type { SpanIds } from './otlp.ts';

interface Identity {
  readonly traceId: string;
  readonly sampled: boolean;
}

/**
 * Gives trees and spans the ids by which collectors know them, when they are asked for, so that nobody pays
 * for what is not exported. A tree belongs to the trace of the call that began it, or of its client, and is
 * exported if that is; others are chosen at random.
 */
export class TraceIds implements SpanIds {
  readonly #perMillion: number;
  readonly #trees = new WeakMap<Tree, Identity>();
  readonly #spans = new WeakMap<Span, string>();

  constructor(perMillion: number) {
    this.#perMillion = perMillion;
  }

  isSampled(tree: Tree): boolean {
    return this.#identify(tree).sampled;
  }

  traceId(tree: Tree): string {
    return this.#identify(tree).traceId;
  }

  spanId(span: Span): string {
    const known = this.#spans.get(span) ?? randomBytes(8).toString('hex');
    this.#spans.set(span, known);
    return known;
  }

  #identify(tree: Tree): Identity {
    const known = this.#trees.get(tree) ?? this.#newIdentity(tree);
    this.#trees.set(tree, known);
    return known;
  }

  #newIdentity({ origin, context }: Tree): Identity {
    if (origin) return this.#identify(origin.tree);
    if (context) return context;
    const sampled = Math.random() * 1_000_000 < this.#perMillion;
    return { traceId: randomBytes(16).toString('hex'), sampled };
  }
}

import type { Tracer, TraceSink, Tree } from '../lib/trace.ts';

/** The last so many of anything. */
class Ring<T> {
  readonly #size: number;
  readonly #items: T[] = [];
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  push(item: T): void {
    this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % this.#size;
  }

  /** Newest first. */
  list(): T[] {
    return [...this.#items.slice(this.#next), ...this.#items.slice(0, this.#next)].toReversed();
  }
}

/** How many are kept; see the settings of the same names. */
export interface Keep {
  readonly latest: number;
  readonly slowest: number;
}

/**
 * The latest calls, and the slowest of each name. Those that only read have a ring of their own, since the
 * kubelet makes several of them every second. Work that a call began is kept with that call.
 */
export class KeptTraces implements TraceSink {
  readonly #calls: Ring<Tree>;
  readonly #reads: Ring<Tree>;
  readonly #slowest = new Map<string, Tree[]>();
  readonly #keep: Keep;

  constructor(keep: Keep) {
    this.#keep = keep;
    this.#calls = new Ring(keep.latest);
    this.#reads = new Ring(keep.latest);
  }

  readonly treeEnded = (tree: Tree): void => {
    if (tree.origin !== null) return;
    (tree.quiet ? this.#reads : this.#calls).push(tree);
    this.#rank(tree);
  };

  /** Newest first. */
  latest(): Tree[] {
    return [...this.#calls.list(), ...this.#reads.list()].toSorted((a, b) => b.id - a.id);
  }

  /** By name, and slowest first. */
  slowest(): Tree[] {
    return [...this.#slowest.values()].flat().toSorted((a, b) => duration(b) - duration(a));
  }

  #rank(tree: Tree): void {
    const { name } = tree.root;
    const ranked = this.#slowest.get(name) ?? [];
    const last = ranked.at(-1);
    if (last && ranked.length >= this.#keep.slowest && duration(tree) <= duration(last)) return;
    const place = ranked.findIndex((other) => duration(other) < duration(tree));
    ranked.splice(place === -1 ? ranked.length : place, 0, tree);
    ranked.length = Math.min(ranked.length, this.#keep.slowest);
    this.#slowest.set(name, ranked);
  }
}

/** Finds a trace that runs or is kept, or work that one of those waited for. */
export function findTree(id: number, tracer: Tracer, kept: KeptTraces): Tree | null {
  const known = [...tracer.running(), ...kept.latest(), ...kept.slowest()];
  return (
    known.find((tree) => tree.id === id) ?? known.flatMap(linksOf).find((tree) => tree.id === id) ?? null
  );
}

/** The work that a tree's stages wait for, or did. */
export function linksOf(tree: Tree): Tree[] {
  const found: Tree[] = [];
  const open = [tree.root];
  for (let next = open.pop(); next; next = open.pop()) {
    if (next.link) found.push(next.link);
    open.push(...(next.children ?? []));
  }
  return found;
}

/** In milliseconds; so far, for what still runs. */
export function duration({ root }: Tree): number {
  return (root.end ?? performance.now()) - root.start;
}

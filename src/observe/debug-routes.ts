import { Fault } from '../lib/fault.ts';
import type { Tracer } from '../lib/trace.ts';
import type { Answerer } from './http-server.ts';
import type { KeptTraces } from './kept-traces.ts';
import { findTree, linksOf } from './kept-traces.ts';
import { stuckOf, summaryOf, traceOf } from './views.ts';

interface Needs {
  readonly tracer: Tracer;
  readonly kept: KeptTraces;
}

/** What the debug socket serves: `/traces[?rpc=NAME]`, `/traces/ID` and `/stuck[?rpc=NAME]`. */
export function debugRoutes(needs: Needs): Answerer {
  return ({ pathname, searchParams }) => {
    const value = answerTo(needs, pathname, wishFrom(searchParams));
    return { type: 'application/json', body: `${JSON.stringify(value)}\n` };
  };
}

function answerTo({ tracer, kept }: Needs, pathname: string, rpc: string | null): object {
  const isWanted = ({ root }: { root: { name: string } }) => rpc === null || root.name === rpc;
  if (pathname === '/traces') {
    return {
      latest: kept.latest().filter(isWanted).map(summaryOf),
      slowest: kept.slowest().filter(isWanted).map(summaryOf),
    };
  }
  if (pathname === '/stuck') {
    // Work is shown with those who wait for it, and by itself once all of them have left.
    const running = tracer.running();
    const awaited = new Set(running.flatMap(linksOf));
    return { running: running.filter((tree) => !awaited.has(tree) && isWanted(tree)).map(stuckOf) };
  }
  const [, id] = /^\/traces\/([^/]*)$/.exec(pathname) ?? [];
  if (id === undefined) throw new Fault('not_found', `nothing is served at ${pathname}`);
  if (!/^\d{1,15}$/.test(id)) throw new Fault('invalid_argument', `${id} is not the number of a trace`);
  const tree = findTree(Number(id), tracer, kept);
  if (tree === null) throw new Fault('not_found', `no trace ${id}: it was never there, or is no longer kept`);
  return traceOf(tree);
}

/** The name in `rpc`, null for all. Refuses what would be ignored. */
function wishFrom(query: URLSearchParams): string | null {
  const unknown = [...query.keys()].find((key) => key !== 'rpc');
  if (unknown !== undefined) throw new Fault('invalid_argument', `${unknown}: no such parameter`);
  return query.get('rpc');
}

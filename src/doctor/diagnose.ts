/** The kinds of things that pods leave, in the order in which they can be taken away. */
export const TRACE_KINDS = [
  'task',
  'shim',
  'network',
  'address',
  'mount',
  'files',
  'snapshot',
  'lease',
  'cgroup',
  'status',
] as const;

export type TraceKind = (typeof TRACE_KINDS)[number];

/** Something that was found and belongs, or belonged, to a pod or a container. */
export interface Trace {
  readonly kind: TraceKind;
  /** Of the sandbox or the container; of itself for a lease. */
  readonly id: string;
  /** A path, a pid, or a snapshotter and the name there: what it takes to find it again. */
  readonly at: string;
  /** That it is where only this cristal puts things, or says so itself. */
  readonly ours: boolean;
}

/** What is written down of one object, and what of it is there. */
export interface Expected {
  readonly id: string;
  readonly kind: 'pod sandbox' | 'container';
  /** It is written down as ready, or as running. */
  readonly alive: boolean;
  /** What a living one needs and has not. */
  readonly missing: readonly string[];
}

export interface Facts {
  /** A cristal works on this root right now. */
  readonly running: boolean;
  /** The ids of all container objects in the namespace, whoever made them. */
  readonly recorded: ReadonlySet<string>;
  /** Ids for which our root has a status: a call that is under way, or one that was cut off. */
  readonly intended: ReadonlySet<string>;
  readonly traces: readonly Trace[];
  readonly expected: readonly Expected[];
}

export interface Finding {
  readonly kind: TraceKind | 'gap';
  readonly id: string;
  /** What it is. */
  readonly what: string;
  /** Why it is thought dead, or amiss. */
  readonly why: string;
  /** What --fix would do; null where it leaves it alone. */
  readonly fix: string | null;
  /** What --fix acts on; null where it does nothing. */
  readonly trace: Trace | null;
}

/**
 * What is left of pods that are no more, and what living ones lack. Decides; touches nothing. Dead is what belongs
 * to an id that containerd has no record of. It is provably ours when it is in our directories, or when something
 * else of the same id is: another cristal, or another CRI server, may use the same containerd, cgroups and
 * address store. What a running cristal is about to make has its status written down first, so that is no leak.
 */
export function diagnose(facts: Facts): Finding[] {
  const isDead = ({ id }: Trace) => !facts.recorded.has(id) && !(facts.running && facts.intended.has(id));
  const dead = facts.traces.filter(isDead);
  const ours = new Set(dead.filter((trace) => trace.ours).map(({ id }) => id));
  const findings = dead.flatMap((trace) => findingOf(trace, ours.has(trace.id)));
  const order = (kind: Finding['kind']) => (kind === 'gap' ? -1 : TRACE_KINDS.indexOf(kind));
  return [...gapsOf(facts), ...findings.toSorted((a, b) => order(a.kind) - order(b.kind))];
}

const NO_RECORD = 'containerd has no record of that id';

function findingOf(trace: Trace, ours: boolean): Finding[] {
  const { kind, id, at } = trace;
  // Of these the machine may have any number that are none of ours.
  if (!ours && (kind === 'address' || kind === 'cgroup')) return [];
  const [what, fix] = words(trace);
  const why =
    kind === 'lease'
      ? 'the process that held it is gone'
      : `${NO_RECORD}${ours ? '' : ', but nothing proves that it was made by this cristal'}`;
  return [
    { kind, id, what: `${what} ${at}`.trim(), why, fix: ours ? fix : null, trace: ours ? trace : null },
  ];
}

/** What it is, and what is done about it. */
function words({ kind, id }: Trace): [string, string] {
  switch (kind) {
    case 'task':
      return [`task of ${id}`, 'kill it and delete it in containerd'];
    case 'shim':
      return [`shim of ${id}, pid`, 'kill it and all that descends from it'];
    case 'network':
      return [`network of pod sandbox ${id}`, 'have the CNI plugins free it (DEL)'];
    case 'address':
      return [`IP address of pod sandbox ${id}:`, 'give it back to host-local'];
    case 'mount':
      return [`mount of ${id}:`, 'unmount it'];
    case 'files':
      return [`files of ${id}:`, 'remove them'];
    case 'snapshot':
      return [`snapshot of container ${id}:`, 'remove it'];
    case 'lease':
      return [`lease ${id} of an unfinished pull`, 'delete it'];
    case 'cgroup':
      return [`cgroup of container ${id}:`, 'kill what is in it and remove it'];
    case 'status':
      return [`status of ${id}:`, 'remove it'];
  }
}

function gapsOf({ expected }: Facts): Finding[] {
  return expected
    .filter(({ alive, missing }) => alive && missing.length > 0)
    .map(({ id, kind, missing }) => ({
      kind: 'gap',
      id,
      what: `${kind} ${id} lacks ${missing.join(', ')}`,
      why: 'it is written down as alive',
      fix: null,
      trace: null,
    }));
}

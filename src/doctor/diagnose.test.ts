import { expect, test } from 'vitest';
import type { Facts, Finding, Trace, TraceKind } from './diagnose.ts';
import { diagnose, TRACE_KINDS } from './diagnose.ts';

const trace = (kind: TraceKind, id: string, ours = false): Trace => ({ kind, id, at: `/at/${kind}`, ours });

function facts(over: Partial<Facts>): Facts {
  return { running: false, recorded: new Set(), intended: new Set(), traces: [], expected: [], ...over };
}

/** Kind and id, with a plus for what would be fixed. */
const shown = (findings: Finding[]) =>
  findings.map(({ kind, id, fix, trace: acted }) => {
    expect(acted === null).toBe(fix === null);
    return `${kind} ${id}${fix === null ? '' : ' +'}`;
  });

test.each<[string, Partial<Facts>, string[]]>([
  ['nothing', {}, []],
  [
    'all that belongs to a record',
    { recorded: new Set(['a']), traces: TRACE_KINDS.map((kind) => trace(kind, 'a', true)) },
    [],
  ],
  ['a dead directory of ours', { traces: [trace('files', 'a', true)] }, ['files a +']],
  [
    'all of a dead id of ours, in the order of clean-up',
    { traces: [...TRACE_KINDS.map((kind) => trace(kind, 'a')), trace('files', 'a', true)].toReversed() },
    [
      'task a +',
      'shim a +',
      'network a +',
      'address a +',
      'mount a +',
      'files a +',
      'files a +',
      'snapshot a +',
      'lease a +',
      'cgroup a +',
      'status a +',
    ],
  ],
  [
    'a dead id of somebody: what is in the namespace is told and left, the rest is not even told',
    {
      traces: [
        trace('task', 'a'),
        trace('shim', 'a'),
        trace('address', 'a'),
        trace('cgroup', 'a'),
        trace('snapshot', 'a'),
      ],
    },
    ['task a', 'shim a', 'snapshot a'],
  ],
  [
    'an address of ours beside one of somebody else',
    { traces: [trace('address', 'a'), trace('address', 'b'), trace('network', 'b', true)] },
    ['network b +', 'address b +'],
  ],
  [
    'a call that a running cristal is in the middle of',
    {
      running: true,
      intended: new Set(['a']),
      traces: [trace('files', 'a', true), trace('snapshot', 'a', true)],
    },
    [],
  ],
  [
    'a call that was cut off',
    { intended: new Set(['a']), traces: [trace('status', 'a', true), trace('snapshot', 'a', true)] },
    ['snapshot a +', 'status a +'],
  ],
  [
    'what the living lack, and the dead may',
    {
      expected: [
        { id: 'a', kind: 'pod sandbox', alive: true, missing: ['its network namespace'] },
        { id: 'b', kind: 'container', alive: false, missing: ['its task'] },
        { id: 'c', kind: 'container', alive: true, missing: [] },
      ],
    },
    ['gap a'],
  ],
])('%s', (_, over, expected) => {
  expect(shown(diagnose(facts(over)))).toEqual(expected);
});

test('a finding says what, why and what would be done', () => {
  const [own] = diagnose(facts({ traces: [trace('mount', 'a', true)] }));
  expect(own).toMatchObject({
    what: 'mount of a: /at/mount',
    why: 'containerd has no record of that id',
    fix: 'unmount it',
  });
  const [other] = diagnose(facts({ traces: [trace('task', 'a')] }));
  expect(other?.why).toContain('nothing proves');
});

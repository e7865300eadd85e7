import { expect, test } from 'vitest';
import { parseTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test.each<[string, string, object | null]>([
  ['a sampled one', `00-${TRACE}-${SPAN}-01`, { traceId: TRACE, spanId: SPAN, sampled: true }],
  ['one that is not sampled', `00-${TRACE}-${SPAN}-00`, { traceId: TRACE, spanId: SPAN, sampled: false }],
  ['flags that we do not know', `00-${TRACE}-${SPAN}-fe`, { traceId: TRACE, spanId: SPAN, sampled: false }],
  [
    'a later version with more fields',
    `01-${TRACE}-${SPAN}-01-what`,
    { traceId: TRACE, spanId: SPAN, sampled: true },
  ],
  ['more fields in version 0', `00-${TRACE}-${SPAN}-01-what`, null],
  ['the version that is forbidden', `ff-${TRACE}-${SPAN}-01`, null],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, null],
  ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`, null],
  ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`, null],
  ['a trace id that is too short', `00-${TRACE.slice(1)}-${SPAN}-01`, null],
  ['something else', 'hello', null],
  ['nothing', '', null],
])('%s', (_name, text, expected) => {
  expect(parseTraceparent(text)).toEqual(expected);
});

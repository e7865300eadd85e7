import { finished } from 'node:stream/promises';
import { expect, test } from 'vitest';

import { collectHead } from './collect.ts';

test('what exceeds the limit is taken and dropped', async () => {
  const { sink, take } = collectHead(7);
  sink.write(Buffer.from('one'));
  expect(take().toString()).toBe('one');
  sink.write(Buffer.from('twothree'));
  sink.end(Buffer.from('four'));
  await finished(sink);
  expect(take().toString()).toBe('onetwot');
});

import { finished } from 'node:stream/promises';
import { expect, test } from 'vitest';

import { collectHead } from './collect.ts';

test('what exceeds the limit is taken and dropped', async () => {
  const collector = collectHead(7);
  const { sink } = collector;
  sink.write(Buffer.from('one'));
  expect(collector.take().toString()).toBe('one');
  sink.write(Buffer.from('twothree'));
  sink.end(Buffer.from('four'));
  await finished(sink);
  expect(collector.take().toString()).toBe('onetwot');
});

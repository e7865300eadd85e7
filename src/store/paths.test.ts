import { expect, test } from 'vitest';
import { defaultConfig } from '../config/schema.ts';
import { debugSocket } from './paths.ts';

test.each([
  ['auto', '/run/cristal/debug.sock'],
  ['/d.sock', '/d.sock'],
  ['', null],
])('the debug socket of %j is %j', (setting, path) => {
  const config = defaultConfig();
  config.tracing.debugSocket = setting;
  expect(debugSocket(config)).toBe(path);
});

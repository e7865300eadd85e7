import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Background } from './background.ts';

function world() {
  const lines: { msg: string; step?: string; err?: { message: string } }[] = [];
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[0]) },
  );
  return { background: new Background(log), lines };
}

test('disposing waits for what runs, and only for that', async () => {
  const { background, lines } = world();
  const { promise, resolve } = Promise.withResolvers<void>();
  background.own(Promise.resolve(), { step: 'over before' });
  background.own(promise, { step: 'slow' });
  let disposed = false;
  const disposal = background[Symbol.asyncDispose]().then(() => (disposed = true));
  await new Promise(setImmediate);
  expect(disposed).toBe(false);
  resolve();
  await disposal;
  expect(lines).toEqual([]);
});

test('what fails is logged with its fields, and fails nobody', async () => {
  const { background, lines } = world();
  background.own(Promise.reject(new Error('no shim')), { step: 'delete the process' });
  await background[Symbol.asyncDispose]();
  expect(lines).toEqual([
    expect.objectContaining({
      msg: 'work in the background failed',
      step: 'delete the process',
      err: expect.objectContaining({ message: 'no shim' }) as unknown,
    }),
  ]);
});

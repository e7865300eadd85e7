import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Fault } from '../lib/fault.ts';
import { createLogger } from './logger.ts';

function capture(isTTY: boolean): { stream: PassThrough & { isTTY: boolean }; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY });
  return { stream, text: () => textOf(stream) };
}

function textOf(stream: PassThrough): string {
  const chunks: Buffer[] = [];
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('one JSON object per line when nobody watches', async () => {
  const { stream, text } = capture(false);
  const log = await createLogger('info', stream);
  log.debug('not shown');
  log.child({ rpc: 'PullImage' }).warn({ ms: 3 }, 'slow');

  const lines = text().trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    rpc: 'PullImage',
    ms: 3,
    msg: 'slow',
  });
});

test('a readable line on a terminal', async () => {
  const { stream, text } = capture(true);
  (await createLogger('info', stream)).info({ path: '/run' }, 'listening');
  const line = text();
  expect(line).toContain('listening');
  expect(line).toContain('path');
  expect(() => JSON.parse(line)).toThrow(SyntaxError);
});

test.each([false, true])('no secret reaches the log (terminal: %s)', async (isTTY) => {
  const { stream, text } = capture(isTTY);
  const secrets = { auth: 'S3CRET', password: 'S3CRET', identityToken: 'S3CRET', registryToken: 'S3CRET' };
  const log = await createLogger('trace', stream);
  log.info({ ...secrets, username: 'anna' }, 'flat');
  log.info({ request: { image: { image: 'x' }, auth: secrets } }, 'a whole PullImage');
  log.info({ request: { config: { envs: [{ key: 'A', value: 'S3CRET' }] } } }, 'a whole CreateContainer');
  log.info({ spec: { process: { env: ['A=S3CRET'] } } }, 'a whole spec');
  log.info({ a: { b: { c: { password: 'S3CRET' } } } }, 'deep');
  log.child(secrets).error({ err: new Fault('internal', 'kept'), request: { auth: secrets } }, 'failed');

  const output = text();
  expect(output).not.toContain('S3CRET');
  expect(output).toContain('[redacted]');
  expect(output).toContain('anna');
  expect(output).toContain('kept');
});

test('logging does not change what was logged', async () => {
  const { stream } = capture(false);
  const request = { auth: { password: 'p' } };
  (await createLogger('info', stream)).info({ request }, 'call');
  expect(request).toEqual({ auth: { password: 'p' } });
});

test('an error brings its code and its cause', async () => {
  const { stream, text } = capture(false);
  const err = new Fault('unavailable', 'list tasks: gone', { cause: new Error('ECONNREFUSED /x.sock') });
  (await createLogger('info', stream)).error({ err }, 'failed');
  const line = JSON.parse(text());
  expect(line.err).toMatchObject({ code: 'unavailable' });
  expect(line.err.stack).toContain('ECONNREFUSED /x.sock');
});

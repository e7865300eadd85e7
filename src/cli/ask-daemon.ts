import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { during, Fault, messageOf } from '../lib/fault.ts';
import { requestHttp } from '../lib/node-http.ts';

/** How long the daemon may take to answer, in milliseconds. */
const ANSWER_MS = 10_000;

/**
 * One GET to the debug socket of a daemon. Throws `unavailable` when nobody answers, `not_found` when what
 * was asked for is not there, `invalid_argument` for any other refusal.
 */
export async function askDaemon(socketPath: string, path: string): Promise<unknown> {
  let response: IncomingMessage;
  try {
    const asked = requestHttp({ socketPath, path, signal: AbortSignal.timeout(ANSWER_MS) }).end();
    [response] = (await once(asked, 'response')) as [IncomingMessage];
  } catch (error) {
    throw during(`ask the daemon at ${socketPath}`, error, 'unavailable');
  }
  const answer = await json(response).catch((error: unknown) => {
    throw new Fault('internal', `the daemon at ${socketPath} answered no JSON: ${messageOf(error)}`);
  });
  if (response.statusCode === 200) return answer;
  const { error = `status ${response.statusCode}` } = answer as { error?: string };
  throw new Fault(response.statusCode === 404 ? 'not_found' : 'invalid_argument', error);
}

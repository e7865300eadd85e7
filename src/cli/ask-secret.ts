import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { ReadStream } from 'node:tty';
import { Fault } from '../lib/fault.ts';

/**
 * Asks on a terminal, and shows nothing of what is typed. Throws `invalid_argument` where there is no
 * terminal, and `cancelled` at control-C and control-D.
 */
export async function askSecret(
  question: string,
  { input, output }: { input: ReadStream; output: Pick<NodeJS.WritableStream, 'write'> },
): Promise<string> {
  if (!input.isTTY) {
    throw new Fault('invalid_argument', 'there is no terminal to ask for the password; use --creds-stdin');
  }
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  output.write(question);
  try {
    const given = once(lines, 'line').then(([line]) => line as string);
    const left = Promise.race([once(lines, 'SIGINT'), once(lines, 'close')]).then(() => null);
    const answer = await Promise.race([given, left]);
    if (answer === null) throw new Fault('cancelled', 'no password was given');
    return answer;
  } finally {
    lines.close();
    output.write('\n');
  }
}

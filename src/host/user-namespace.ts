import { once } from 'node:events';
import { writeFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

import { Fault } from '../lib/fault.ts';
import type { IdMapping, IdMappings } from '../lib/id-mappings.ts';
import { Child } from './child.ts';
import { hostFault, isErrno } from './errno.ts';
import { close, pipe } from './syscalls.ts';

/** The other namespaces that can be made in a new user namespace, which then owns them. */
export type OwnedKind = 'net' | 'ipc' | 'uts';

/** The helper and what it says. */
interface Helper {
  readonly child: Child;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

/** How long the helper may take to be there, in milliseconds. */
const START_MS = 10_000;

/**
 * Makes a user namespace with these ids, and namespaces of the given kinds that belong to it, for as long as `act`
 * takes; /proc/PID/ns has them. The kernel lets no process with several threads make one, so that a helper does:
 * unshare of util-linux, and cat, which ends with our end of its input even when we are killed.
 */
export async function withUserNamespace<T>(
  ids: IdMappings,
  kinds: readonly OwnedKind[],
  act: (pid: number) => Promise<T>,
): Promise<T> {
  using ours = new DisposableStack();
  const helper = await startHelper(kinds, ours);
  const { child } = helper;
  try {
    await answered(helper);
    const { pid } = child;
    try {
      writeFileSync(`/proc/${pid}/uid_map`, mapLine(ids.uids));
      writeFileSync(`/proc/${pid}/gid_map`, mapLine(ids.gids));
    } catch (error) {
      throw hostFault('map the ids of a user namespace', error);
    }
    return await act(pid);
  } finally {
    child.kill();
    await child.ended;
  }
}

/** It was told something already, to say back. `ours` closes our ends of its streams. */
async function startHelper(kinds: readonly OwnedKind[], ours: DisposableStack): Promise<Helper> {
  using theirs = new DisposableStack();
  const args = ['--user', ...kinds.map((kind) => `--${kind}`), '--', 'cat'];
  const env = { PATH: process.env['PATH'] ?? '' };
  try {
    using readers = new DisposableStack();
    const [input, toInput] = openPipe(theirs, ours);
    const [fromOutput, output] = openPipe(readers, theirs);
    const [fromErrors, errors] = openPipe(readers, theirs);
    writeSync(toInput, '.');
    const child = await Child.start('unshare', { args, env, stdio: [input, output, errors] });
    readers.move(); // from here on the sockets close them
    const [stdout, stderr] = [fromOutput, fromErrors].map((fd) =>
      ours.adopt(new Socket({ fd, readable: true, writable: false }), (socket) => socket.destroy()),
    ) as [Socket, Socket];
    return { child, stdout, stderr };
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw hostFault('start unshare', error);
    throw new Fault('failed_precondition', 'user namespaces need the program unshare of util-linux', {
      cause: error,
    });
  }
}

/** Opens a pipe whose end to read the first stack closes, and the end to write the second. */
function openPipe(reader: DisposableStack, writer: DisposableStack): [number, number] {
  const [read, write] = pipe();
  return [reader.adopt(read, close), writer.adopt(write, close)];
}

/** Resolves when it says back what it was told: by then it is in its namespaces. */
async function answered(helper: Helper): Promise<void> {
  const complaint: Buffer[] = [];
  helper.stderr.on('data', (chunk: Buffer) => complaint.push(chunk));
  const signal = AbortSignal.timeout(START_MS);
  const first = await Promise.race([
    once(helper.stdout, 'data', { signal }).then(() => null),
    helper.child.ended,
  ]);
  if (first === null) return;
  await once(helper.stderr, 'close', { signal }).catch(() => {});
  const said = Buffer.concat(complaint).toString('utf8').trim();
  throw new Fault(
    'failed_precondition',
    `make a user namespace: ${said || `unshare ended with ${first.code}`}`,
  );
}

function mapLine({ containerId, hostId, length }: IdMapping): string {
  return `${containerId} ${hostId} ${length}\n`;
}

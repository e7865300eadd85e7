import { once } from 'node:events';
import { writeFileSync } from 'node:fs';

import { Fault } from '../lib/fault.ts';
import type { IdMapping, IdMappings } from '../lib/id-mappings.ts';
import { Child } from './child.ts';
import { hostFault, isErrno } from './errno.ts';

/** The other namespaces that can be made in a new user namespace, which then owns them. */
export type OwnedKind = 'net' | 'ipc' | 'uts';

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
  const helper = startHelper(kinds);
  helper.stdin.on('error', () => {}); // it may end at any time, which its output tells
  try {
    await answered(helper);
    const { pid } = helper;
    try {
      writeFileSync(`/proc/${pid}/uid_map`, mapLine(ids.uids));
      writeFileSync(`/proc/${pid}/gid_map`, mapLine(ids.gids));
    } catch (error) {
      throw hostFault('map the ids of a user namespace', error);
    }
    return await act(pid);
  } finally {
    helper.kill();
    await helper.ended;
  }
}

function startHelper(kinds: readonly OwnedKind[]): Child {
  try {
    const options = ['--user', ...kinds.map((kind) => `--${kind}`)];
    return new Child('unshare', [...options, '--', 'cat'], { PATH: process.env['PATH'] ?? '' });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw hostFault('start unshare', error);
    throw new Fault('failed_precondition', 'user namespaces need the program unshare of util-linux', {
      cause: error,
    });
  }
}

/** Resolves when it says back what it was told: by then it is in its namespaces. */
async function answered(helper: Child): Promise<void> {
  const complaint: Buffer[] = [];
  helper.stderr.on('data', (chunk: Buffer) => complaint.push(chunk));
  const signal = AbortSignal.timeout(START_MS);
  helper.stdin.write('.');
  const first = await Promise.race([once(helper.stdout, 'data', { signal }).then(() => null), helper.ended]);
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

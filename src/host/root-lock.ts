import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import net from 'node:net';
import { Fault } from '../lib/fault.ts';
import { hostFault, isErrno } from './errno.ts';
import { isLiveSocket } from './socket-file.ts';

/**
 * One process at a time works on a root directory. The lock is an abstract socket (unix(7)) that is named after
 * it: the kernel lets go of it with the process, however that ends, and no file is left to be taken for a lock.
 * @throws Fault failed_precondition when another process has it.
 */
export async function lockRoot(root: string): Promise<AsyncDisposable> {
  const server = net.createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ path: await lockName(root) }, resolve);
  try {
    await promise;
  } catch (error) {
    if (!isErrno(error, 'EADDRINUSE')) throw hostFault(`lock ${root}`, error);
    throw new Fault(
      'failed_precondition',
      `another cristal works on ${root}: stop it, or choose another root`,
    );
  }
  server.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

/** Whether a process has the lock. Asking keeps nobody from taking it. */
export async function isRootLocked(root: string): Promise<boolean> {
  return await isLiveSocket(await lockName(root));
}

/** A root that is reached by two paths is one; the name of an abstract socket is short. */
async function lockName(root: string): Promise<string> {
  const path = await realpath(root).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return root;
    throw hostFault(`resolve ${root}`, error);
  });
  return `\0cristal-root-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`;
}

import type { Socket } from 'node:net';

import { closeFd, openFifoReadWrite } from '../host/fifo.ts';
import { removeTree } from '../host/files.ts';
import { writeFifo } from '../io/fifo-stream.ts';
import { isCode } from '../lib/fault.ts';

interface Held {
  readonly path: string;
  readonly fd: number;
  readonly writers: Set<Socket>;
}

/**
 * Holds the writing end of each stdin that stays open while nobody is attached. Without a writer the
 * shim's reader would see the end of it at once.
 */
export class StdinKeeper implements Disposable {
  readonly #held = new Map<string, Held>();

  /** Where the FIFO is missing, stdin was ended for good before cristal was started anew. */
  open(id: string, path: string): void {
    this.close(id);
    try {
      this.#held.set(id, { path, fd: openFifoReadWrite(path), writers: new Set() });
    } catch (error) {
      if (!isCode(error, 'not_found')) throw error;
    }
  }

  /** One more writer, which its caller ends. Null when stdin is not open. */
  writer(id: string): Socket | null {
    const held = this.#held.get(id);
    if (!held) return null;
    const writer = writeFifo(held.path);
    held.writers.add(writer);
    return writer.once('close', () => held.writers.delete(writer));
  }

  /** Ends stdin for good: no later start of cristal opens it again. False when it was not open. */
  async end(id: string): Promise<boolean> {
    const held = this.#held.get(id);
    if (!held) return false;
    this.close(id);
    await removeTree(held.path);
    return true;
  }

  [Symbol.dispose](): void {
    for (const id of this.#held.keys()) this.close(id);
  }

  close(id: string): void {
    const held = this.#held.get(id);
    if (!held) return;
    this.#held.delete(id);
    for (const writer of held.writers) writer.destroy();
    closeFd(held.fd);
  }
}

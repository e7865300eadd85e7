import { closeFd, openFifoReadWrite } from '../host/fifo.ts';

/**
 * Holds the writing end of each stdin that stays open while nobody is attached. Without a writer the
 * shim's reader would see the end of it at once.
 */
export class StdinKeeper {
  readonly #fds = new Map<string, number>();

  open(id: string, path: string): void {
    this.close(id);
    this.#fds.set(id, openFifoReadWrite(path));
  }

  close(id: string): void {
    const fd = this.#fds.get(id);
    if (fd !== undefined) closeFd(fd);
    this.#fds.delete(id);
  }
}

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

export interface ScratchSocket {
  /** Where a server of this test may listen. */
  readonly address: string;
  /** What is put here ends with the test, in reverse. */
  readonly stack: AsyncDisposableStack;
}

/** For each test of the file that calls this: a path for a socket, in a directory that goes with the test. */
export function scratchSocket(): ScratchSocket {
  let dir = '';
  let stack = new AsyncDisposableStack();
  beforeEach(() => {
    dir = mkdtempSync('/tmp/cristal-grpc-');
    stack = new AsyncDisposableStack();
  });
  afterEach(async () => {
    await stack.disposeAsync();
    rmSync(dir, { recursive: true });
  });
  return {
    get address() {
      return join(dir, 's');
    },
    get stack() {
      return stack;
    },
  };
}

/** Bytes kept of each stream of an exec, as the CRI says. */
export const OUTPUT_LIMIT = 16 * 1024 * 1024;

/** Clients take messages of 16 MiB at most, and there is more in one than the output. */
const ROOM = OUTPUT_LIMIT - 1024;

interface Output {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Cuts the ends off, so that both fit into one message. What one stream leaves of its half, the other has. */
export function cutToFit({ stdout, stderr }: Output): Output {
  const kept = stdout.subarray(0, Math.max(ROOM / 2, ROOM - stderr.length));
  return { stdout: kept, stderr: stderr.subarray(0, ROOM - kept.length) };
}

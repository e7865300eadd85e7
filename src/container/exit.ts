/** What containerd or the kernel knows of the end of a container's first process. */
export interface Exit {
  readonly exitCode: number;
  /** Nanoseconds since 1970. */
  readonly exitedAt: bigint;
}

/** The code that the CRI's users know as "it is gone and nobody saw how". */
export const UNKNOWN_EXIT_CODE = 255;

/** The code of a container that could not be started. */
export const START_ERROR_EXIT_CODE = 128;

/**
 * The word for the kubelet. A container that lost a process to the OOM killer but ended well by
 * itself has completed: only a failure is put down to memory.
 * @param exit null when nobody saw it.
 * @param oomKills how many of its processes the kernel killed for memory, null when it was not to be had.
 */
export function exitReason(
  exit: Pick<Exit, 'exitCode'> | null,
  oomKills: number | null,
): 'Completed' | 'Error' | 'OOMKilled' | 'Unknown' {
  if (exit === null) return 'Unknown';
  if (exit.exitCode === 0) return 'Completed';
  return (oomKills ?? 0) > 0 ? 'OOMKilled' : 'Error';
}

/** What a container has written, as its snapshotter counts it. */
export interface WritableLayer {
  /** When it was measured, in nanoseconds since the epoch. */
  readonly at: bigint;
  /** The directory of the snapshotter. */
  readonly mountpoint: string;
  readonly bytes: number;
  readonly inodes: number;
}

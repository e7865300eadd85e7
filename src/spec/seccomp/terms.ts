/** What a profile's rules may depend on. */
export interface ProfileTerms {
  /** The container's bounding set. */
  readonly capabilities: readonly string[];
  /** As `process.arch` says it. */
  readonly arch: string;
  /** The release, as uname(2) says it. */
  readonly kernel: string;
}

type Version = readonly [major: number, minor: number];

/** A release of no known form counts as new: every kernel that Node runs on is. */
export function kernelVersion(release: string): Version {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return major === undefined ? [Infinity, 0] : [Number(major), Number(minor)];
}

export function isBefore([major, minor]: Version, than: Version): boolean {
  return major < than[0] || (major === than[0] && minor < than[1]);
}

/** The versions of the CNI specification that we speak, oldest first. */
const SPOKEN = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

/** What the specification says a configuration without `cniVersion` means. */
export const OLDEST_VERSION = '0.1.0';

export const NEWEST_VERSION = '1.1.0';

export function speaksVersion(version: string): boolean {
  return SPOKEN.includes(version);
}

/** Both must be versions that we speak. */
export function isAtLeast(version: string, floor: string): boolean {
  return SPOKEN.indexOf(version) >= SPOKEN.indexOf(floor);
}

/** The newest of `versions` that we speak, or null if there is none. */
export function newestSpoken(versions: readonly string[]): string | null {
  return SPOKEN.findLast((version) => versions.includes(version)) ?? null;
}

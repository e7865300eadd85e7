/** A platform in Go's words, as image indexes name them. */
export interface Platform {
  os: string;
  architecture: string;
  /** Empty where the architecture has none. */
  variant: string;
}

const GO_ARCHITECTURES: Record<string, string> = {
  x64: 'amd64',
  ia32: '386',
  mipsel: 'mipsle',
  ppc64: 'ppc64le',
};

/** The variants that an architecture without further knowledge of the processor can run, best first. */
const RUNNABLE: Record<string, string[]> = {
  arm: ['v7', 'v6', 'v5', ''],
  arm64: ['v8', ''],
  amd64: ['', 'v1'],
};

/** The platform of this process, from Node's `process.arch`. */
export function hostPlatform(arch: string): Platform {
  const architecture = GO_ARCHITECTURES[arch] ?? arch;
  return { os: 'linux', architecture, variant: RUNNABLE[architecture]?.[0] ?? '' };
}

/**
 * The entry of an index that suits the host best: the best variant, and of equals the first. One without
 * a platform is taken only if nothing else fits, because it does not say what it is.
 */
export function selectEntry<E extends { platform: Platform | null }>(
  entries: readonly E[],
  host: Platform,
): E | null {
  const runnable = RUNNABLE[host.architecture] ?? [''];
  const from = Math.max(0, runnable.indexOf(host.variant));
  for (const variant of runnable.slice(from)) {
    const found = entries.find(
      ({ platform }) =>
        platform?.os === host.os &&
        platform.architecture === host.architecture &&
        platform.variant === variant,
    );
    if (found !== undefined) return found;
  }
  return entries.find(({ platform }) => platform === null) ?? null;
}

/** `linux/arm64/v8`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== '').join('/');
}

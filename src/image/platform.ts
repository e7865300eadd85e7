import { Fault } from '../lib/fault.ts';

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

/** What other tools call an architecture, in Go's words. */
const ALIASES: Record<string, string> = { x86_64: 'amd64', aarch64: 'arm64', i386: '386' };

/** Reads `OS/ARCH[/VARIANT]`. Throws `invalid_argument` for anything else, and for what is not Linux. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const [os = '', named = '', variant] = parts;
  const isWhole = parts.length <= 3 && parts.every((part) => /^[a-z0-9_.-]+$/.test(part)) && named !== '';
  if (!isWhole) throw new Fault('invalid_argument', `"${text}" is not OS/ARCH or OS/ARCH/VARIANT`);
  if (os !== 'linux') throw new Fault('invalid_argument', `"${text}": only images for linux can be unpacked`);
  const architecture = ALIASES[named] ?? named;
  return { os, architecture, variant: variant ?? RUNNABLE[architecture]?.[0] ?? '' };
}

/** Whether something that says it is for `offered` is what was asked for, whichever variant it is. */
export function isFor(wanted: Platform, offered: Platform): boolean {
  return offered.os === wanted.os && offered.architecture === wanted.architecture;
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
  for (const variant of new Set([host.variant, ...runnable.slice(from)])) {
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

import { posix } from 'node:path';
import { Fault } from '../../lib/fault.ts';
import type { ProfileWish } from '../security-profile.ts';
import { wishOf } from '../security-profile.ts';

export type SeccompChoice =
  | { readonly kind: 'none' | 'default' }
  | { readonly kind: 'localhost'; readonly path: string };

interface SeccompTerms {
  privileged: boolean;
  /** Why nobody can have a filter here; null where they can. */
  unable: string | null;
  /** What a config that says nothing means, as a word. */
  unset: string;
}

const NONE: SeccompChoice = { kind: 'none' };

/**
 * Which filter a container gets. A privileged one gets none, whatever it asks for. Throws `failed_precondition`
 * for one that is asked for where there can be none, and `invalid_argument` for a profile without a whole path.
 */
export function seccompChoice(wish: ProfileWish, { privileged, unable, unset }: SeccompTerms): SeccompChoice {
  if (privileged) return NONE;
  const meant = wish.kind === 'unset' ? wishOf('seccomp', unset) : wish;
  if (meant.kind === 'unset' || meant.kind === 'unconfined') return NONE;
  if (unable !== null) {
    if (wish.kind === 'unset') return NONE;
    throw new Fault('failed_precondition', `a seccomp profile is asked for, but ${unable}`);
  }
  if (meant.kind !== 'localhost') return { kind: 'default' };
  if (!posix.isAbsolute(meant.name)) {
    throw new Fault('invalid_argument', `seccomp profile "${meant.name}": the path is not absolute`);
  }
  return { kind: 'localhost', path: meant.name };
}

import type { HostFacts } from '../../lib/host-facts.ts';
import type { SpecOption } from '../build.ts';
import { defaultSeccomp } from './default-profile.ts';
import { readSeccompProfile } from './profile-file.ts';

/** The filter of a container, with the text of a profile of the user's own. */
export type SeccompFilter =
  | { readonly kind: 'none' | 'default' }
  | { readonly kind: 'localhost'; readonly path: string; readonly text: string };

/** Comes after the capabilities, on which profiles depend. Throws `invalid_argument` for a profile that is none. */
export function withSeccomp(
  filter: SeccompFilter,
  { kernelRelease, arch }: Pick<HostFacts, 'kernelRelease' | 'arch'>,
): SpecOption {
  return ({ process, linux }) => {
    const terms = { capabilities: process.capabilities.bounding, arch, kernel: kernelRelease };
    if (filter.kind === 'default') linux.seccomp = defaultSeccomp(terms);
    if (filter.kind === 'localhost') linux.seccomp = readSeccompProfile(filter, terms);
  };
}

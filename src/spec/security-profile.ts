import type { SecurityProfile__Output as SecurityProfile } from '../gen/runtime/v1/SecurityProfile.ts';
import { Fault } from '../lib/fault.ts';

/** What a config asks of seccomp or AppArmor. The name of a localhost profile has lost its prefix. */
export type ProfileWish =
  | { readonly kind: 'unset' | 'default' | 'unconfined' }
  | { readonly kind: 'localhost'; readonly name: string };

const LOCALHOST = 'localhost/';

/**
 * The wish of the field that is a message, or where that is not set of the older one that is a word.
 * @param what names the profile in errors. Throws `invalid_argument` for what contradicts the CRI.
 */
export function profileWish(what: string, profile: SecurityProfile | null, word: string): ProfileWish {
  if (!profile) return wishOf(what, word);
  const { profileType, localhostRef } = profile;
  if (profileType === 'Localhost') return localhost(what, localhostRef);
  if (localhostRef !== '') {
    throw new Fault(
      'invalid_argument',
      `${what} profile: localhost_ref "${localhostRef}" is set, but the profile type is ${profileType}`,
    );
  }
  return { kind: profileType === 'Unconfined' ? 'unconfined' : 'default' };
}

/** The wish of a word: `runtime/default`, `docker/default`, `unconfined`, `localhost/NAME`, or empty for none. */
export function wishOf(what: string, word: string): ProfileWish {
  if (word === '') return { kind: 'unset' };
  if (word === 'unconfined') return { kind: 'unconfined' };
  if (word === 'runtime/default' || word === 'docker/default') return { kind: 'default' };
  if (word.startsWith(LOCALHOST)) return localhost(what, word);
  throw new Fault(
    'invalid_argument',
    `${what} profile "${word}" is none of runtime/default, unconfined and localhost/NAME`,
  );
}

/** The message has the bare name; clients that were written for the word put the prefix there too. */
function localhost(what: string, text: string): ProfileWish {
  const name = text.startsWith(LOCALHOST) ? text.slice(LOCALHOST.length) : text;
  if (name === '') throw new Fault('invalid_argument', `${what} profile: localhost without a name`);
  return { kind: 'localhost', name };
}

import type { SupplementalGroupsPolicy__Output } from '../gen/runtime/v1/SupplementalGroupsPolicy.ts';
import { Fault } from '../lib/fault.ts';
import type { ResolvedUser } from './input.ts';
import type { GroupEntry, PasswdEntry } from './user-files.ts';
import { isId, parseGroup, parsePasswd } from './user-files.ts';

/** The largest id that runtimes accept. */
const MAX_ID = 2 ** 31 - 1;

/** Who a container wants to be, by its config and its image. */
export interface UserWish {
  runAsUser: bigint | null;
  runAsUsername: string;
  runAsGroup: bigint | null;
  /** Decimal, as the CRI has them. */
  supplementalGroups: readonly string[];
  policy: SupplementalGroupsPolicy__Output;
  /** `user`, `user:group`, `uid`, `uid:gid` or empty for root. */
  imageUser: string;
}

/**
 * The ids to run with. The config goes before the image; names, and what else is known of ids, are looked up in the
 * image's own /etc/passwd and /etc/group, each null when the image has none. Throws `invalid_argument` for a wish that contradicts the CRI
 * and for names that the image does not know.
 */
export function resolveUser(wish: UserWish, passwd: string | null, group: string | null): ResolvedUser {
  refuseContradictions(wish);
  const users = parsePasswd(passwd ?? '');
  const groups = parseGroup(group ?? '');

  const [userWord, groupWord] = wantedWords(wish);
  const entry = findUser(users, userWord);
  const uid = entry?.uid ?? idOf(userWord, 'user', '/etc/passwd');
  const gid = groupWord === '' ? (entry?.gid ?? 0) : findGid(groups, groupWord);

  const memberships = wish.policy === 'Merge' && entry ? gidsOfMember(groups, entry.name) : [];
  const supplemental = wish.supplementalGroups.map((id) => idOf(id, 'supplemental group', '/etc/group'));
  // The primary group is among them, so that a program that drops its gid does not gain what the group denies.
  const additionalGids = [...new Set([gid, ...memberships, ...supplemental])];
  return { uid, gid, additionalGids, home: entry?.home ?? '' };
}

function refuseContradictions({ runAsUser, runAsUsername, runAsGroup }: UserWish): void {
  if (runAsUser !== null && runAsUsername !== '') {
    throw new Fault('invalid_argument', 'run_as_user and run_as_username are both set');
  }
  if (runAsGroup !== null && runAsUser === null && runAsUsername === '') {
    throw new Fault('invalid_argument', 'run_as_group is set without run_as_user or run_as_username');
  }
}

/** User and group as words; the group is empty when only the user's own is wanted. */
function wantedWords(wish: UserWish): [user: string, group: string] {
  const configUser = wish.runAsUser?.toString() ?? wish.runAsUsername;
  if (configUser !== '') return [configUser, wish.runAsGroup?.toString() ?? ''];
  const [user = '', group = ''] = wish.imageUser.split(':');
  return [user || '0', group];
}

/**
 * A number is always an id. Were it looked up as a name first, an image could make root of the `1000` that the kubelet
 * has just found not to be root.
 */
function findUser(users: PasswdEntry[], word: string): PasswdEntry | null {
  const isIt: (user: PasswdEntry) => boolean = isId(word)
    ? ({ uid }) => uid === Number(word)
    : ({ name }) => name === word;
  return users.find(isIt) ?? null;
}

/** As for users. */
function findGid(groups: GroupEntry[], word: string): number {
  const entry = isId(word) ? undefined : groups.find(({ name }) => name === word);
  return entry?.gid ?? idOf(word, 'group', '/etc/group');
}

function gidsOfMember(groups: GroupEntry[], user: string): number[] {
  return groups.filter(({ members }) => members.includes(user)).map(({ gid }) => gid);
}

function idOf(word: string, what: string, file: string): number {
  if (!/^-?\d+$/.test(word)) {
    throw new Fault('invalid_argument', `${what} "${word}" is not in the image's ${file}`);
  }
  const id = Number(word);
  if (id < 0 || id > MAX_ID) {
    throw new Fault('invalid_argument', `${what} ${word} is outside of 0 to ${MAX_ID}`);
  }
  return id;
}

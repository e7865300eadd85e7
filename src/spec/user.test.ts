import { describe, expect, test } from 'vitest';
import type { UserWish } from './user.ts';
import { resolveUser } from './user.ts';

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  '# not an entry',
  '+nis',
  'app:x:1000:1001::/home/app:/bin/sh',
  '2000:x:0:0::/numeric:/bin/sh',
  'bare:x:1500:1500',
  '',
].join('\n');
const GROUP = [
  'root:x:0:',
  'app:x:1001:',
  'audio:x:29:app,root',
  'wheel:x:10: app ',
  '3000:x:0:',
  'broken',
].join('\n');

function wish(over: Partial<UserWish>): UserWish {
  return {
    runAsUser: null,
    runAsUsername: '',
    runAsGroup: null,
    supplementalGroups: [],
    policy: 'Merge',
    imageUser: '',
    ...over,
  };
}

describe('resolveUser', () => {
  test.each<[string, Partial<UserWish>, [uid: number, gid: number, groups: number[], home: string]]>([
    ['nothing at all', {}, [0, 0, [0, 29], '/root']],
    ['an image user', { imageUser: 'app' }, [1000, 1001, [1001, 29, 10], '/home/app']],
    ['an image user and group', { imageUser: 'app:audio' }, [1000, 29, [29, 10], '/home/app']],
    ['an image uid that is known', { imageUser: '1000' }, [1000, 1001, [1001, 29, 10], '/home/app']],
    ['an image uid that is not', { imageUser: '4000' }, [4000, 0, [0], '']],
    ['an image uid and gid', { imageUser: '4000:4001' }, [4000, 4001, [4001], '']],
    ['an image group only', { imageUser: ':audio' }, [0, 29, [29], '/root']],
    ["an image uid that is somebody's name", { imageUser: '2000' }, [2000, 0, [0], '']],
    ["a uid that is somebody's name", { runAsUser: 2000n }, [2000, 0, [0], '']],
    ['a user name that is a number', { runAsUsername: '2000' }, [2000, 0, [0], '']],
    [
      "an image gid that is a group's name",
      { imageUser: 'app:3000' },
      [1000, 3000, [3000, 29, 10], '/home/app'],
    ],
    ["a gid that is a group's name", { runAsUser: 5n, runAsGroup: 3000n }, [5, 3000, [3000], '']],
    ['an entry without a home', { imageUser: 'bare' }, [1500, 1500, [1500], '']],
    ['a uid over the image', { imageUser: 'app', runAsUser: 5n }, [5, 0, [0], '']],
    ['a known uid', { runAsUser: 1000n }, [1000, 1001, [1001, 29, 10], '/home/app']],
    ['uid zero, which is a wish', { imageUser: 'app', runAsUser: 0n }, [0, 0, [0, 29], '/root']],
    ['a uid and a gid', { runAsUser: 1000n, runAsGroup: 7n }, [1000, 7, [7, 29, 10], '/home/app']],
    ['a name and a gid', { runAsUsername: 'app', runAsGroup: 0n }, [1000, 0, [0, 29, 10], '/home/app']],
    [
      'groups of its own, merged',
      { imageUser: 'app', supplementalGroups: ['500', '29'] },
      [1000, 1001, [1001, 29, 10, 500], '/home/app'],
    ],
    [
      'groups of its own, strictly',
      { imageUser: 'app', supplementalGroups: ['500'], policy: 'Strict' },
      [1000, 1001, [1001, 500], '/home/app'],
    ],
  ])('%s', (_, over, [uid, gid, additionalGids, home]) => {
    expect(resolveUser(wish(over), PASSWD, GROUP)).toEqual({ uid, gid, additionalGids, home });
  });

  test('an image without user files knows numbers only', () => {
    expect(resolveUser(wish({ imageUser: '12:13' }), null, null)).toMatchObject({ uid: 12, gid: 13 });
    expect(resolveUser(wish({}), null, null)).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: '' });
  });

  test.each<[Partial<UserWish>, RegExp]>([
    [{ runAsGroup: 7n }, /run_as_group is set without/],
    [{ runAsGroup: 7n, imageUser: 'app' }, /run_as_group is set without/],
    [{ runAsUser: 1n, runAsUsername: 'app' }, /both set/],
    [{ runAsUsername: 'ghost' }, /user "ghost" is not in the image's \/etc\/passwd/],
    [{ imageUser: 'app:ghost' }, /group "ghost" is not in the image's \/etc\/group/],
    [{ runAsUser: -1n }, /user -1 is outside/],
    [{ runAsUser: 2n ** 31n }, /user 2147483648 is outside/],
    [{ supplementalGroups: ['-5'] }, /supplemental group -5 is outside/],
  ])('%o is refused', (over, message) => {
    const call = () => resolveUser(wish(over), PASSWD, GROUP);
    expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(call).toThrow(message);
  });
});

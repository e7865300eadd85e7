import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';

import { hostIdOf } from '../lib/id-mappings.ts';
import { giveUpper, idMappedBind, idMappedPart, onIdMapped } from './id-mapped-mounts.ts';
import { bindMount, mountsBelow, unmountTree } from './mounts.ts';
import { mountReadOnly } from './snapshot-mounts.ts';
import { withUserNamespace } from './user-namespace.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
const root = realpathSync(mkdtempSync(join(tmpdir(), 'cristal-ids-')));
afterEach(() => unmountTree(root));
afterAll(() => rmSync(root, { recursive: true }));

const range = { containerId: 0, hostId: 50_000, length: 1000 };
const ids = { uids: range, gids: { ...range, hostId: 60_000 } };
const pointsIn = async (dir: string) => (await mountsBelow(dir)).map(({ mountPoint }) => mountPoint);
const overlay = (...options: string[]) => [{ type: 'overlay', source: 'overlay', options }];

test.each([
  ['/s/1/fs:/s/2/fs', '/s', '/at/1/fs:/at/2/fs'],
  ['/s/1/fs', '/s/1/fs', '/at'],
  ['/s/12/fs:/s/1/fs', '/s', '/at/12/fs:/at/1/fs'],
  ['/a/x/s/1:/a/y/s/2', '/a', '/at/x/s/1:/at/y/s/2'],
])('of layers %s it is %s that is mapped', (lowers, part, mapped) => {
  const snapshot = overlay('workdir=/w', 'upperdir=/u', `lowerdir=${lowers}`);
  expect(idMappedPart(snapshot)).toBe(part);
  expect(onIdMapped(snapshot, '/at')).toEqual(overlay('workdir=/w', 'upperdir=/u', `lowerdir=${mapped}`));
});

test('a directory is mapped as a whole, and what is neither is refused', () => {
  const bind = { type: 'bind', source: '/s/1', options: ['rbind'] };
  expect(idMappedPart([bind])).toBe('/s/1');
  expect(onIdMapped([bind], '/at')).toEqual([{ ...bind, source: '/at' }]);
  for (const mounts of [[{ ...bind, type: 'ext4' }], [], [bind, bind], overlay('lowerdir=/a/1:/b/2')]) {
    expect(() => idMappedPart(mounts)).toThrow(expect.objectContaining({ code: 'unimplemented' }));
  }
});

test.each([
  [0, 50_000],
  [999, 50_999],
  [1000, null],
])('id %i is %s to the machine', (id, expected) => {
  expect(hostIdOf(id, range)).toBe(expected);
});

asRoot(
  'what is mounted with ids has them, files and directories, and what is written goes back',
  async () => {
    const [source, target, file] = ['source', 'target', 'file'].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ];
    for (const dir of [source, target]) mkdirSync(dir);
    writeFileSync(join(source, 'x'), 'x');
    writeFileSync(file, '');
    await withUserNamespace(ids, [], async (pid) => {
      idMappedBind(source, target, `/proc/${pid}/ns/user`);
      idMappedBind(join(source, 'x'), file, `/proc/${pid}/ns/user`);
    });
    for (const path of [target, join(target, 'x'), file]) {
      const { uid, gid } = statSync(path);
      expect([uid, gid]).toEqual([50_000, 60_000]);
    }
  },
);

asRoot('a file system that cannot be mapped is named', async () => {
  const [one, two, merged, target] = ['1', '2', 'merged', 'to'].map((name) => join(root, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const dir of [one, two, merged, target]) mkdirSync(dir);
  mountReadOnly(overlay(`lowerdir=${one}:${two}`), merged);
  const mapping = withUserNamespace(ids, [], async (pid) =>
    idMappedBind(merged, target, `/proc/${pid}/ns/user`),
  );
  await expect(mapping).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining(`id-map ${merged}: its file system`),
  });
});

asRoot('the upper directory goes to the same user inside, once, and only one that is mapped', () => {
  const upper = join(root, 'upper');
  mkdirSync(upper);
  giveUpper(overlay(`upperdir=${upper}`), ids);
  expect(statSync(upper)).toMatchObject({ uid: 50_000, gid: 60_000 });
  expect(() => giveUpper(overlay(`upperdir=${upper}`), ids)).toThrow(/50000:60000, which is not mapped/);
  expect(() => giveUpper([{ type: 'bind', source: upper, options: [] }], ids)).not.toThrow();
});

asRoot('ids that the kernel refuses say so, and the helper does not stay', async () => {
  const wrong = { ...ids, uids: { ...range, hostId: 4_294_967_290 } };
  await expect(withUserNamespace(wrong, ['net'], async () => {})).rejects.toThrow(
    /map the ids of a user namespace: E/,
  );
});

asRoot('what is mounted below a shared mount is seen with ids too, and stays when they go', async () => {
  const [source, target] = [join(root, 'shared'), join(root, 'mapped')];
  for (const dir of [join(source, 'sub'), join(source, 'later'), target]) mkdirSync(dir, { recursive: true });
  await bindMount(source, source);
  execFileSync('mount', ['--make-shared', source]);
  await bindMount(join(source, 'sub'), join(source, 'sub'));
  await withUserNamespace(ids, [], async (pid) => {
    idMappedBind(source, target, `/proc/${pid}/ns/user`);
  });
  await bindMount(join(source, 'later'), join(source, 'later'));
  expect(await pointsIn(target)).toEqual([target, join(target, 'sub'), join(target, 'later')]);
  expect(statSync(join(target, 'sub')).uid).toBe(50_000);
  await unmountTree(target);
  expect(await pointsIn(target)).toEqual([]);
  expect(await pointsIn(source)).toEqual([source, join(source, 'sub'), join(source, 'later')]);
});

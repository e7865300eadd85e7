import { expect, test } from 'vitest';
import type { Image } from '../image/image.ts';
import { imageTable } from './image-commands.ts';

function image(change: Partial<Image>): Image {
  const id = `sha256:0123456789ab${'c'.repeat(52)}`;
  return { id, repoTags: [], repoDigests: [], size: 1_500, pinned: false, ...change } as Image;
}

test('images are listed by name, and without one by what they have', () => {
  const images = [
    image({ repoTags: ['b.test/b:1', 'a.test/long/name:1'], pinned: true }),
    image({ repoDigests: ['c.test/c@sha256:1'] }),
    image({}),
  ];
  expect(imageTable(images)).toBe(
    [
      'NAME                ID            SIZE',
      '-                   0123456789ab  1.5 kB',
      'a.test/long/name:1  0123456789ab  1.5 kB  pinned',
      'b.test/b:1          0123456789ab  1.5 kB  pinned',
      'c.test/c@sha256:1   0123456789ab  1.5 kB',
      '',
    ].join('\n'),
  );
  expect(imageTable([])).toBe('NAME  ID  SIZE\n');
});

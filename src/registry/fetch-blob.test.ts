import { pino } from 'pino';
import { expect, test } from 'vitest';
import { KeyedLock } from '../lib/keyed-lock.ts';
import { fetchBlob } from './fetch-blob.ts';

test('a blob that is said to be empty and is not what its digest says is refused, not asked for again and again', async () => {
  let aborts = 0;
  const content = {
    info: async () => null,
    abort: async () => {
      aborts += 1;
    },
  };
  const needs = {
    store: { containerd: { content }, lease: 'l', signal: new AbortController().signal },
    locks: new KeyedLock(),
    slots: (work: () => Promise<void>) => work(),
    repository: { hosts: ['r.test'], blob: () => expect.unreachable() },
    guard: { watch: (act: () => unknown) => act() },
    progress: { layer: () => {} },
    log: pino({ level: 'silent' }),
  } as unknown as Parameters<typeof fetchBlob>[0];
  const digest = `sha256:${'a'.repeat(64)}`;
  const blob = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 0, annotations: {} };
  await expect(fetchBlob(needs, { blob, labels: {}, isLikelyNew: true })).rejects.toMatchObject({
    code: 'data_loss',
  });
  expect(aborts).toBe(1);
});

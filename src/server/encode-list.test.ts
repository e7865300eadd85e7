import { resolve } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, it, test } from 'vitest';
import type { Container } from '../gen/runtime/v1/Container.ts';
import { encoderFor } from './encode-list.ts';
import { cri } from './proto.ts';

const protos = loadSync(resolve(import.meta.dirname, '../../proto/cri.proto'), {}) as unknown as Record<
  string,
  unknown
>;
const service = cri['runtime.v1.RuntimeService'];

function item(n: number): object {
  return { id: `id-${n}`, metadata: { name: `n${n}`, attempt: n }, labels: { a: 'b' } };
}

describe.each([
  ['ListContainers', 'containers'],
  ['ListPodSandbox', 'items'],
  ['StreamContainers', 'containers'],
  ['StreamPodSandboxes', 'podSandboxes'],
] as const)('%s', (rpc, field) => {
  const { responseSerialize } = service[rpc] as { responseSerialize: (response: object) => Buffer };

  it.each([0, 1, 3])('with %s items is encoded as always', (count) => {
    const response = { [field]: Array.from({ length: count }, (_, n) => item(n)) };
    expect(encoderFor(rpc, responseSerialize)(response)).toEqual(responseSerialize(response));
  });

  test('has that one field and no other, or the bytes would not be all', () => {
    const described = protos[`runtime.v1.${rpc}Response`] as { type: { field: object[] } };
    expect(described.type.field).toMatchObject([{ name: field, number: 1, label: 'LABEL_REPEATED' }]);
  });
});

test('an item is encoded once', () => {
  let encoded = 0;
  const encode = encoderFor('ListContainers', (response: { containers: Container[] }) => {
    encoded += 1;
    return service.ListContainers.responseSerialize(response);
  });
  const [first, second]: Container[] = [{ id: 'a' }, { id: 'b' }];
  const list = [first, second] as Container[];
  expect(encode({ containers: list })).toEqual(encode({ containers: list }));
  expect(encoded).toBe(2);
});

test('what is no list is left as it is', () => {
  const { responseSerialize } = service.Version;
  expect(encoderFor('Version', responseSerialize)).toBe(responseSerialize);
});

import { describe, expect, it, test } from 'vitest';
import type { Container } from '../gen/runtime/v1/Container.ts';
import { encoderFor } from './encode-list.ts';
import { cri } from './proto.ts';

const service = cri['runtime.v1.RuntimeService'];

describe.each([
  ['ListContainers', 'containers'],
  ['ListPodSandbox', 'items'],
  ['StreamContainers', 'containers'],
  ['StreamPodSandboxes', 'podSandboxes'],
] as const)('%s', (rpc, field) => {
  const { responseSerialize } = service[rpc] as { responseSerialize: (response: object) => Buffer };
  const item = (n: number): object => ({
    id: `id-${n}`,
    metadata: { name: `n${n}`, attempt: n },
    labels: { a: 'b' },
  });

  it.each([0, 1, 3])('with %s items is encoded as always', (count) => {
    const response = { [field]: Array.from({ length: count }, (_, n) => item(n)) };
    expect(encoderFor(rpc, responseSerialize)(response)).toEqual(responseSerialize(response));
  });

  test('has that one field and no other, or the bytes would not be all', () => {
    const described = (service[rpc] as unknown as { responseType: { type: { field: { name: string }[] } } })
      .responseType;
    expect(described.type.field).toMatchObject([{ name: field, label: 'LABEL_REPEATED' }]);
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
  const serialize = (): Buffer => Buffer.of(1);
  expect(encoderFor('Version', serialize)).toBe(serialize);
});

import { expect, test } from 'vitest';
import type { PodSandboxFilter__Output as Filter } from '../../gen/runtime/v1/PodSandboxFilter.ts';
import type { SandboxState } from '../../store/sandboxes.ts';
import { sandbox } from '../fixtures.ts';
import { criState, fits, toListed, toStatus } from './status.ts';

test.each<[SandboxState, string]>([
  ['creating', 'SANDBOX_NOTREADY'],
  ['ready', 'SANDBOX_READY'],
  ['notready', 'SANDBOX_NOTREADY'],
  ['unknown', 'SANDBOX_NOTREADY'],
])('%s is %s', (state, shown) => {
  expect(criState({ state })).toBe(shown);
});

test('the status has the primary address, the others beside it, and every digit of the time', () => {
  expect(toStatus(sandbox())).toMatchObject({
    id: 'pod1',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-1' },
    createdAt: '1795000000123456789',
    network: { ip: '10.0.0.2', additionalIps: [{ ip: 'fd00::2' }] },
    linux: { namespaces: { options: null } },
    labels: { app: 'web' },
    annotations: { note: 'n' },
    runtimeHandler: 'runc',
  });
});

test('a pod on the network of the host has no address of its own', () => {
  expect(toStatus(sandbox({ ips: [] })).network).toEqual({ ip: '', additionalIps: [] });
});

test('a list leaves out what only a status tells', () => {
  expect(Object.keys(toListed(sandbox())).toSorted()).toEqual(
    ['annotations', 'createdAt', 'id', 'labels', 'metadata', 'runtimeHandler', 'state'].toSorted(),
  );
});

test.each<[Partial<Filter>, boolean]>([
  [{}, true],
  [{ id: 'pod1' }, true],
  [{ id: 'pod' }, false],
  [{ state: { state: 'SANDBOX_READY' } }, true],
  [{ state: { state: 'SANDBOX_NOTREADY' } }, false],
  [{ labelSelector: { app: 'web' } }, true],
  [{ labelSelector: { app: 'db' } }, false],
  [{ id: 'pod1', labelSelector: { app: 'db' } }, false],
])('filter %j: %s', (filter, shown) => {
  expect(fits(sandbox(), { id: '', state: null, labelSelector: {}, ...filter })).toBe(shown);
});

test('without a filter all are shown', () => {
  expect(fits(sandbox(), null)).toBe(true);
});

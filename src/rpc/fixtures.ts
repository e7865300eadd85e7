/** What tests of this folder list and tell of: one ready pod and one running container, with overrides. */
import { containerConfig, sandboxConfig } from '../spec/fixtures.ts';
import type { Container } from '../store/containers.ts';
import { NEW_STATUS } from '../store/containers.ts';
import type { Sandbox } from '../store/sandboxes.ts';
import { NEW_SANDBOX_STATUS } from '../store/sandboxes.ts';

export function sandbox(over: Partial<Sandbox> = {}): Sandbox {
  return {
    ...NEW_SANDBOX_STATUS,
    id: 'pod1',
    name: 'web_default_uid-1_0',
    config: sandboxConfig({ labels: { app: 'web' }, annotations: { note: 'n' } }),
    runtimeHandler: 'runc',
    createdAt: 1_795_000_000_123_456_789n,
    holder: 'pinned',
    state: 'ready',
    ips: ['10.0.0.2', 'fd00::2'],
    ...over,
  };
}

export function container(over: Partial<Container> = {}): Container {
  return {
    ...NEW_STATUS,
    id: 'c1',
    name: 'app_pod1_0',
    sandboxId: 'pod1',
    config: containerConfig({ labels: { role: 'app' } }),
    runtimeHandler: 'runc',
    imageId: 'sha256:aa',
    volumeRefs: {},
    imageRef: 'docker.io/library/app@sha256:bb',
    logPath: '/var/log/pods/default_web_uid-1/app/0.log',
    stopSignal: 'SIGNAL_SIGTERM',
    user: { linux: { uid: '1', gid: '2', supplementalGroups: ['2', '3'] } },
    snapshotter: 'overlayfs',
    cgroupsPath: '/k8s.io/c1',
    createdAt: 1_795_000_000_123_456_789n,
    state: 'running',
    pid: 42,
    startedAt: 1_795_000_001_000_000_000n,
    ...over,
  };
}

import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.ts';
import type { SpecOption } from './build.ts';

/**
 * The keys by which containerd's shim groups the containers of a pod, and by which VM runtimes and tools such as
 * cAdvisor know a pod's containers. The names are containerd's; they are an interface.
 */
const PREFIX = 'io.kubernetes.cri.';

interface ContainerNames {
  sandboxId: string;
  sandbox: PodSandboxConfig__Output;
  containerName: string;
  imageName: string;
}

export function containerAnnotations(names: ContainerNames): Record<string, string> {
  return {
    [`${PREFIX}container-type`]: 'container',
    ...sandboxIdentity(names.sandboxId, names.sandbox),
    [`${PREFIX}container-name`]: names.containerName,
    [`${PREFIX}image-name`]: names.imageName,
  };
}

interface SandboxNames {
  id: string;
  config: PodSandboxConfig__Output;
  /** Empty for a sandbox that was made without an image. */
  imageName: string;
}

/** The resources are those of the whole pod: a VM runtime sizes its machine by them. */
export function sandboxAnnotations({ id, config, imageName }: SandboxNames): Record<string, string> {
  const annotations = {
    [`${PREFIX}container-type`]: 'sandbox',
    ...sandboxIdentity(id, config),
    ...(imageName !== '' && { [`${PREFIX}sandbox-image-name`]: imageName }),
    [`${PREFIX}sandbox-log-directory`]: config.logDirectory,
  };

  const resources = config.linux?.resources;
  if (!resources) return annotations;
  return {
    ...annotations,
    [`${PREFIX}sandbox-cpu-period`]: resources.cpuPeriod,
    [`${PREFIX}sandbox-cpu-quota`]: resources.cpuQuota,
    [`${PREFIX}sandbox-cpu-shares`]: resources.cpuShares,
    [`${PREFIX}sandbox-memory`]: resources.memoryLimitInBytes,
  };
}

/**
 * Those of `annotations` whose key is of one of the patterns: `*` is any run of letters but `/`, `?` one of them.
 * They come from users, so nothing passes that the operator has not let through.
 */
export function passed(
  annotations: Readonly<Record<string, string>>,
  patterns: readonly string[],
): Record<string, string> {
  const tests = patterns.map(globTest);
  return Object.fromEntries(
    Object.entries(annotations).filter(([key]) => tests.some((test) => test.test(key))),
  );
}

function globTest(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return new RegExp(`^${source}$`);
}

export function withAnnotations(annotations: Record<string, string>): SpecOption {
  return (draft) => {
    Object.assign(draft.annotations, annotations);
  };
}

function sandboxIdentity(id: string, { metadata }: PodSandboxConfig__Output): Record<string, string> {
  return {
    [`${PREFIX}sandbox-id`]: id,
    [`${PREFIX}sandbox-name`]: metadata?.name ?? '',
    [`${PREFIX}sandbox-namespace`]: metadata?.namespace ?? '',
    [`${PREFIX}sandbox-uid`]: metadata?.uid ?? '',
  };
}

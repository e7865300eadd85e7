import type { Container as ListedContainer } from '../../gen/runtime/v1/Container.ts';
import type { ContainerFilter__Output as Filter } from '../../gen/runtime/v1/ContainerFilter.ts';
import type { ContainerState__Output as CriState } from '../../gen/runtime/v1/ContainerState.ts';
import type { ContainerStatus } from '../../gen/runtime/v1/ContainerStatus.ts';
import type { Mount } from '../../gen/runtime/v1/Mount.ts';
import type { ImageStore } from '../../image/image.ts';
import { onceEach } from '../../lib/once-each.ts';
import type { Container } from '../../store/containers.ts';
import { containersOf } from '../../store/containers.ts';
import { hasLabels } from '../matches.ts';
import type { Services } from '../services.ts';

/** The CRI's word for each of our states. One that is being removed has exited. */
export function criState({ state }: Pick<Container, 'state'>): CriState {
  switch (state) {
    case 'creating':
    case 'created':
      return 'CONTAINER_CREATED';
    case 'running':
      return 'CONTAINER_RUNNING';
    case 'exited':
    case 'removing':
      return 'CONTAINER_EXITED';
    case 'unknown':
      return 'CONTAINER_UNKNOWN';
  }
}

/** As ContainerStatus tells it. The image's first tag is shown, since the config often has only its id. */
export function toStatus(container: Container, images: Pick<ImageStore, 'find'>): ContainerStatus {
  const { config, imageId, imageRef, user } = container;
  const tag = images.find(imageId)?.repoTags[0];
  return {
    id: container.id,
    metadata: config.metadata,
    state: criState(container),
    createdAt: container.createdAt.toString(),
    startedAt: container.startedAt.toString(),
    finishedAt: container.finishedAt.toString(),
    exitCode: container.exitCode,
    image: {
      image: tag ?? config.image?.image ?? imageId,
      userSpecifiedImage: config.image?.userSpecifiedImage ?? '',
    },
    imageRef,
    imageId,
    reason: container.reason,
    message: container.message,
    labels: config.labels,
    annotations: config.annotations,
    mounts: mountsOf(container),
    logPath: container.logPath,
    resources: { linux: container.resources },
    user,
    stopSignal: container.stopSignal,
  };
}

/** Those of all containers of one pod sandbox. */
export function statusesIn(
  { containers, images }: Pick<Services, 'containers' | 'images'>,
  sandboxId: string,
): ContainerStatus[] {
  return containersOf(containers, sandboxId).map((container) => toStatus(container, images.store));
}

/** As configured, and an image volume with what its image was resolved to. */
function mountsOf({ config, volumeRefs }: Container): Mount[] {
  return config.mounts.map((mount, place) => {
    const { image } = mount;
    return image ? { ...mount, image: { ...image, imageRef: volumeRefs[place] ?? '' } } : mount;
  });
}

/** As a list tells it: the same object until something changes, so that it is encoded once. */
export const toListed = onceEach((container: Container): ListedContainer => {
  const { config } = container;
  return {
    id: container.id,
    podSandboxId: container.sandboxId,
    metadata: config.metadata,
    image: config.image,
    imageRef: container.imageId,
    imageId: container.imageId,
    state: criState(container),
    createdAt: container.createdAt.toString(),
    labels: config.labels,
    annotations: config.annotations,
  };
});

/** Ids in the filter are those that were resolved to their full form before. */
export function fits(container: Container, filter: Filter | null): boolean {
  if (!filter) return true;
  if (filter.id !== '' && container.id !== filter.id) return false;
  if (filter.podSandboxId !== '' && container.sandboxId !== filter.podSandboxId) return false;
  if (filter.state && criState(container) !== filter.state.state) return false;
  return hasLabels(container.config.labels, filter.labelSelector);
}

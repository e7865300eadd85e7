import type { Container } from '../../store/containers.ts';

/** What the tools that read checkpoint archives know of the container (config.dump of checkpointctl). */
export function configDump(
  container: Container,
  { runtime, checkpointedAt }: { runtime: string; checkpointedAt: Date },
) {
  const { id, config, imageId, imageRef, createdAt } = container;
  const image = config.image?.userSpecifiedImage || config.image?.image || imageId;
  return {
    id,
    name: config.metadata?.name ?? '',
    rootfsImage: image,
    rootfsImageName: image,
    rootfsImageRef: imageRef,
    runtime,
    createdTime: new Date(Number(createdAt / 1_000_000n)).toISOString(),
    checkpointedTime: checkpointedAt.toISOString(),
  };
}

/** CONTAINER_RUNNING as a number, which is how Go writes an enum. */
const RUNNING = 1;

/** The container's status under the names and in the types that Go gives the fields of the CRI. */
export function statusDump(container: Container) {
  const { id, config, createdAt, startedAt, imageId, imageRef, logPath } = container;
  return {
    id,
    metadata: { name: config.metadata?.name ?? '', attempt: config.metadata?.attempt ?? 0 },
    state: RUNNING,
    // A JSON number of JavaScript's has 53 bits: these are right to the microsecond.
    created_at: Number(createdAt),
    started_at: Number(startedAt),
    image: { image: config.image?.image ?? imageId },
    image_ref: imageRef,
    image_id: imageId,
    labels: config.labels,
    annotations: config.annotations,
    log_path: logPath,
  };
}

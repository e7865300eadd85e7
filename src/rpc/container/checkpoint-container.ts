import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { specFrom } from '../../container/oci-any.ts';
import { findProgram } from '../../daemon/preflight-facts.ts';
import type { CheckpointContainerRequest__Output as Request } from '../../gen/runtime/v1/CheckpointContainerRequest.ts';
import type { CheckpointContainerResponse as Response } from '../../gen/runtime/v1/CheckpointContainerResponse.ts';
import { ensureDir, exists, removeTree, saveStream, writeFileAtomic } from '../../host/files.ts';
import { listTree } from '../../host/tree.ts';
import type { Call } from '../../lib/call.ts';
import { during, Fault, innerFault } from '../../lib/fault.ts';
import { newId } from '../../lib/id.ts';
import { Rollback } from '../../lib/rollback.ts';
import { holdLease } from '../../registry/lease.ts';
import type { Container } from '../../store/containers.ts';
import type { Services } from '../services.ts';
import { configDump, statusDump } from './checkpoint-files.ts';

type Needs = Pick<Services, 'containerd' | 'containers' | 'locks' | 'log' | 'paths'>;

/** Uncompressed, as rootfs-diff.tar is. */
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/**
 * Writes the state of a running container to a tar archive (0600) at `location`, with the files that
 * containerd's CRI, CRI-O and checkpointctl have in it. The container is frozen while its memory and its file
 * system are read, so that both are of one moment, and then goes on.
 */
export async function checkpointContainer(needs: Needs, request: Request, call: Call): Promise<Response> {
  const { location, timeout } = request;
  const { id } = needs.containers.mustFind(request.containerId);
  if (!location.startsWith('/')) throw new Fault('invalid_argument', 'location has to be an absolute path');
  const limit = Number(timeout) > 0 ? [AbortSignal.timeout(Number(timeout) * 1_000)] : [];
  const signal = AbortSignal.any([call.signal, ...limit]);
  using _held = await needs.locks.take(`container/${id}`, signal);
  const container = needs.containers.mustFind(id);
  if (container.state !== 'running') {
    throw new Fault(
      'failed_precondition',
      `container "${id}" is ${container.state}; only a running one has a state to write`,
    );
  }
  if ((await findProgram('criu', exists)) === null) {
    throw new Fault(
      'failed_precondition',
      'checkpoints need CRIU: install criu where containerd and cristal find it',
    );
  }
  const dir = needs.paths.containerCheckpoint(id);
  try {
    await removeTree(dir); // of an earlier try that was cut off
    await ensureDir(dir, 0o700);
    await collect(needs, { container, dir }, signal);
    await saveStream(location, archiveOf(dir));
  } catch (error) {
    throw during(`checkpoint container "${id}"`, innerFault(error));
  } finally {
    await removeTree(dir).catch((err: unknown) =>
      needs.log.warn({ err, containerId: id }, 'checkpoint not cleaned up'),
    );
  }
  return {};
}

interface Order {
  readonly container: Container;
  /** Takes all files of the archive. */
  readonly dir: string;
}

async function collect(needs: Needs, { container, dir }: Order, signal: AbortSignal): Promise<void> {
  const { containerd, log } = needs;
  const { id } = container;
  const { spec, runtime } = await containerd.containers.get(id, { signal });
  const json = async (name: string, value: unknown) =>
    await writeFileAtomic(`${dir}/${name}`, JSON.stringify(value), 0o600);
  await json('config.dump', configDump(container, { runtime: runtime.name, checkpointedAt: new Date() }));
  await json('status.dump', statusDump(container));
  await json('spec.dump', spec ? specFrom(spec) : {});

  await using frozen = new Rollback((step, err) =>
    log.error({ err, containerId: id, step }, 'rollback stuck'),
  );
  const resume = async (late: AbortSignal) => await containerd.tasks.resume(id, { signal: late });
  frozen.onFailure('pause', resume);
  await containerd.tasks.pause(id, { signal });
  // CRIU's own log and figures go beside its images, where the tools look for them.
  await containerd.tasks.checkpoint(id, { imagePath: `${dir}/checkpoint`, workPath: dir }, { signal });
  await saveChanges(needs, { container, dir }, signal);
  await resume(signal);
  frozen.commit();
}

/** What the container changed in its root file system. */
async function saveChanges(needs: Needs, { container, dir }: Order, signal: AbortSignal): Promise<void> {
  const { id, snapshotter } = container;
  const { snapshots, content, diff } = needs.containerd;
  const { parent } = await snapshots.stat(snapshotter, id, { signal });
  await using lease = await holdLease({ leases: needs.containerd.leases }, needs.log, signal);
  const below = `${id}-checkpoint-${newId()}`;
  await using view = new Rollback((step, err) =>
    needs.log.warn({ err, containerId: id, step }, 'view is left to the lease'),
  );
  view.onFailure('view', (late) => snapshots.remove(snapshotter, below, { signal: late }));
  const left = await snapshots.view(snapshotter, below, parent, {}, { signal, lease: lease.id });
  const right = await snapshots.mounts(snapshotter, id, { signal });
  const wanted = { left, right, mediaType: LAYER, ref: below };
  const { digest } = await diff.create(wanted, { signal, lease: lease.id });
  await saveStream(`${dir}/rootfs-diff.tar`, content.read(digest, {}, { signal }));
}

/** All files below the directory, each by its name there. */
async function* archiveOf(dir: string): AsyncGenerator<Uint8Array, void, undefined> {
  const { pack } = await import('tar-stream');
  const archive = pack();
  const fill = async (): Promise<void> => {
    for (const file of await listTree(dir)) {
      const { name, size } = file;
      await pipeline(Readable.from(file.read()), archive.entry({ name, size, mode: 0o600 }));
    }
    archive.finalize();
  };
  const filling = fill();
  // Its error also ends the archive, where it is met.
  filling.catch((error: unknown) => archive.destroy(error as Error));
  yield* archive as AsyncIterable<Uint8Array>;
  await filling;
}

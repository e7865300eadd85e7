import type { NamedRuntime } from '../../config/runtimes.ts';
import { runtimeNamed } from '../../config/runtimes.ts';
import { specAny } from '../../container/oci-any.ts';
import type { RemoveNeeds } from '../../container/remove.ts';
import { removeContainer } from '../../container/remove.ts';
import { makeVolumes, releaseVolumes, removeViews, viewLabels } from '../../container/volumes.ts';
import type { Mount } from '../../containerd/mount.ts';
import type { ContainerConfig__Output as ContainerConfig } from '../../gen/runtime/v1/ContainerConfig.ts';
import type { CreateContainerRequest__Output as Request } from '../../gen/runtime/v1/CreateContainerRequest.ts';
import type { CreateContainerResponse as Response } from '../../gen/runtime/v1/CreateContainerResponse.ts';
import type { Image } from '../../image/image.ts';
import { allSettled } from '../../lib/all-settled.ts';
import type { Call } from '../../lib/call.ts';
import { during, Fault, innerFault, isCode } from '../../lib/fault.ts';
import { newId } from '../../lib/id.ts';
import { encodeJson } from '../../lib/json.ts';
import { Rollback } from '../../lib/rollback.ts';
import { nowNs } from '../../lib/time.ts';
import { checkNamespaces, userNamespaceOf } from '../../sandbox/namespaces.ts';
import { pinsDir } from '../../sandbox/release.ts';
import { checkMounts } from '../../spec/mount-rules.ts';
import type { Container, ContainerRecord, ContainerStatus } from '../../store/containers.ts';
import { containerName, NEW_STATUS } from '../../store/containers.ts';
import { ROOT_LABEL } from '../../store/paths.ts';
import type { Sandbox } from '../../store/sandboxes.ts';
import type { Operation } from '../operations.ts';
import { runtimeOptions } from '../runtime-options.ts';
import type { Services } from '../services.ts';
import type { DraftNeeds } from './draft.ts';
import { draftContainer } from './draft.ts';
import type { MachineNeeds } from './machine.ts';
import { gatherMachine } from './machine.ts';
import { relabelFiles } from './relabel.ts';

type Needs = DraftNeeds &
  MachineNeeds &
  RemoveNeeds &
  Pick<Services, 'abilities' | 'containerd' | 'execProcesses' | 'images' | 'operations'>;

interface Order {
  readonly name: string;
  readonly config: ContainerConfig;
  readonly sandbox: Sandbox;
  readonly image: Image;
}

/** What was decided before the container is made. */
interface Making {
  readonly id: string;
  readonly runtime: NamedRuntime;
  readonly snapshotter: string;
  /** The mounts of its root file system, once it is prepared. */
  readonly rootfs: () => Promise<Mount[]>;
}

export async function createContainer(needs: Needs, request: Request, call: Call): Promise<Response> {
  const { config } = request;
  if (!config?.metadata?.name) throw new Fault('invalid_argument', 'config.metadata.name is required');
  if (!config.image?.image) throw new Fault('invalid_argument', 'config.image is required');
  const sandbox = needs.sandboxes.mustFind(request.podSandboxId);
  checkNamespaces(sandbox.config, config.linux?.securityContext?.namespaceOptions ?? null);
  checkMounts(config.mounts, needs.abilities.get(sandbox.runtimeHandler));
  const name = containerName(config.metadata, sandbox.id);
  const fingerprint = encodeJson(config);

  const pod = sandbox.config.metadata;
  const shown = `CreateContainer ${config.metadata.name} in ${pod?.namespace}/${pod?.name} (${name})`;
  return await needs.operations.run({ name: shown, fingerprint }, call, async (operation) => {
    operation.stage('wait for the pod sandbox');
    using _shared = await needs.locks.share(`sandbox/${sandbox.id}`, operation.signal);
    const known = needs.containers.byName(name);
    if (known?.state === 'unknown') {
      operation.stage('remove what is left of an earlier try');
      using _held = await needs.locks.take(`container/${known.id}`, operation.signal);
      await removeContainer(needs, known, operation.signal);
    } else if (known) return { containerId: finishedBefore(known, fingerprint).id };

    const ready = needs.sandboxes.get(sandbox.id)?.state === 'ready';
    if (!ready) throw new Fault('failed_precondition', `pod sandbox "${sandbox.id}" is not ready`);
    const image = needs.images.store.find(config.image?.image ?? '');
    // Not `not_found`: the kubelet takes that to mean the sandbox is gone.
    if (!image)
      throw new Fault(
        'failed_precondition',
        `image "${config.image?.image}" is not on this node; pull it first`,
      );
    try {
      return { containerId: await create(needs, { name, config, sandbox, image }, operation) };
    } catch (error) {
      throw innerFault(error);
    }
  });
}

/** The container that an earlier call made, when this is a repeat of that call. */
function finishedBefore(known: Container, fingerprint: string): Container {
  if (encodeJson(known.config) !== fingerprint) {
    throw new Fault('already_exists', `container "${known.name}" exists with another config, as ${known.id}`);
  }
  if (known.state !== 'created') {
    throw new Fault(
      'already_exists',
      `container "${known.name}" exists and is ${known.state}, as ${known.id}`,
    );
  }
  return known;
}

/** A container that never was: its making failed, and so did taking it back. */
function leftover(id: string, { name, config, sandbox, image }: Order, snapshotter: string): Container {
  return {
    ...NEW_STATUS,
    state: 'unknown',
    reason: 'CreateError',
    message: 'creating it failed, and so did undoing that; remove it',
    id,
    name,
    sandboxId: sandbox.id,
    config,
    runtimeHandler: sandbox.runtimeHandler,
    imageId: image.id,
    imageRef: image.id,
    volumeRefs: {},
    logPath: '',
    stopSignal: 'SIGNAL_SIGTERM',
    user: null,
    snapshotter,
    cgroupsPath: '',
    createdAt: nowNs(),
  };
}

async function create(needs: Needs, order: Order, { signal, stage }: Operation): Promise<string> {
  const { containers, containerd, lease, log } = needs;
  const { config, sandbox, image } = order;
  const id = newId();
  const runtime = runtimeNamed(needs.config, sandbox.runtimeHandler);
  const snapshotter = runtime.snapshotter || needs.config.containerd.snapshotter;

  await using work = new Rollback((step, err) => {
    // What could not be freed stays listed, so that RemoveContainer, or the same call again, can.
    log.error({ err, containerId: id, step }, 'rollback stuck');
    containers.put(leftover(id, order, snapshotter));
  });

  stage('write intent');
  work.onFailure('status', () => containers.forget(id));
  await containers.saveStatus(id, NEW_STATUS);

  stage('snapshot and record');
  work.onFailure('snapshot', (late) => containerd.snapshots.remove(snapshotter, id, { signal: late, lease }));
  const rootfs = prepareRootfs(needs, { id, image, snapshotter }, signal).catch((error: unknown) => {
    throw during(`prepare snapshot of image ${image.id}`, innerFault(error));
  });
  // Beside each other, as far as the record needs nothing of the snapshot. Recovery takes back either without the other.
  const [, record] = await allSettled([
    rootfs,
    makeRecord(needs, { ...order, id, runtime, snapshotter, rootfs: () => rootfs }, { signal, work }),
  ]);

  stage('write status');
  const status: ContainerStatus = {
    ...NEW_STATUS,
    state: 'created',
    resources: config.linux?.resources ?? null,
  };
  await containers.saveStatus(id, status);
  containers.put({ ...record, ...status });
  work.commit();
  return id;
}

/** Decides what the container is, makes its volumes, and writes its record. `work` gets the undos. */
async function makeRecord(
  needs: Needs,
  order: Order & Making,
  { signal, work }: { signal: AbortSignal; work: Rollback },
): Promise<ContainerRecord> {
  const { containers } = needs;
  const { id, config, sandbox, image, runtime, snapshotter, rootfs } = order;
  const layers = { snapshotter, chainId: image.chainId };
  const machine = await gatherMachine(needs, { config, layers, rootfs, sandbox, runtime });

  work.onFailure('views', (late) => removeViews(needs, { id, snapshotter, config }, late));
  work.onFailure('volumes', () => releaseVolumes(needs, id));
  const userns = userNamespaceOf(sandbox.config, pinsDir(needs.paths.sandboxState(sandbox.id)));
  const volumes = await makeVolumes(
    needs,
    { id, config, image, snapshotter, rootfs, userns, sources: machine.mountSources },
    signal,
  );

  const drafted = draftContainer(needs, { ...order, volumes }, machine);
  const { record, spec, files } = drafted;
  await relabelFiles({ config, files, volumes, mountSources: machine.mountSources }, spec.linux.mountLabel);

  const labels = { ...drafted.labels, ...viewLabels(id, snapshotter, config.mounts) };
  work.onFailure('record', (late) => containers.deleteRecord(id, { signal: late }));
  await containers
    .saveRecord(
      record,
      {
        labels,
        image: image.names[0] ?? image.id,
        runtime: { name: runtime.type, options: runtimeOptions(runtime, needs.cgroupDriver) },
        spec: specAny(spec),
        snapshotter,
        snapshotKey: id,
      },
      { signal },
    )
    .catch((error: unknown) => {
      throw during('write the record to containerd', innerFault(error));
    });
  needs.execProcesses.keep(id, spec.process);
  return record;
}

/** The container's own snapshot on top of its image, which is unpacked first where nobody has. */
async function prepareRootfs(
  { config, containerd, images, lease }: Needs,
  { id, image, snapshotter }: { id: string; image: Image; snapshotter: string },
  signal: AbortSignal,
): Promise<Mount[]> {
  const labels = { [ROOT_LABEL]: config.root };
  const prepare = () =>
    containerd.snapshots.prepare(snapshotter, id, image.chainId, labels, { signal, lease });
  try {
    return await prepare();
  } catch (error) {
    // Rarely so: another tool pulled it, or it was pulled for another runtime handler.
    if (!isCode(error, 'not_found')) throw error;
    await images.ensureUnpacked(image, snapshotter, signal);
    return await prepare();
  }
}

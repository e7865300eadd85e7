import type { NamedRuntime } from '../../config/runtimes.ts';
import { runtimeNamed } from '../../config/runtimes.ts';
import type { PodSandboxConfig__Output as PodSandboxConfig } from '../../gen/runtime/v1/PodSandboxConfig.ts';
import type { RunPodSandboxRequest__Output as Request } from '../../gen/runtime/v1/RunPodSandboxRequest.ts';
import type { RunPodSandboxResponse as Response } from '../../gen/runtime/v1/RunPodSandboxResponse.ts';
import type { Attachment } from '../../host/cni/attachment.ts';
import { allSettled } from '../../lib/all-settled.ts';
import type { Call } from '../../lib/call.ts';
import { during, Fault } from '../../lib/fault.ts';
import { encodeJson } from '../../lib/json.ts';
import { Rollback } from '../../lib/rollback.ts';
import { nowNs } from '../../lib/time.ts';
import { makeSandboxFiles, removeSandboxFiles } from '../../sandbox/files.ts';
import { refuseUnsupported, sharesPids } from '../../sandbox/namespaces.ts';
import { pauseRoot, startPause } from '../../sandbox/pause.ts';
import { pinsDir, releaseSandbox } from '../../sandbox/release.ts';
import type { Confinement } from '../../spec/input.ts';
import { containersOf } from '../../store/containers.ts';
import type { Sandbox, SandboxRecord } from '../../store/sandboxes.ts';
import { NEW_SANDBOX_STATUS, sandboxName } from '../../store/sandboxes.ts';
import { pauseConfinement } from '../confinement.ts';
import type { Operation } from '../operations.ts';
import { runtimeOptions } from '../runtime-options.ts';
import type { Services } from '../services.ts';
import { attachRequest } from './attach-request.ts';
import { freshId } from './fresh-id.ts';
import { hostnameOf, pinRequest } from './pin-request.ts';
import { removeSandbox } from './remove-sandbox.ts';
import { sandboxObject } from './sandbox-object.ts';
import type { StopSandboxNeeds } from './stop-pod-sandbox.ts';

type Needs = StopSandboxNeeds &
  Pick<
    Services,
    | 'abilities'
    | 'apparmor'
    | 'config'
    | 'cgroupDriver'
    | 'containerd'
    | 'facts'
    | 'log'
    | 'namespaces'
    | 'network'
    | 'operations'
    | 'paths'
    | 'sandboxes'
  >;

export async function runPodSandbox(needs: Needs, request: Request, call: Call): Promise<Response> {
  const { config } = request;
  if (!config?.metadata) throw new Fault('invalid_argument', 'config.metadata is required');
  const { name, namespace, uid } = config.metadata;
  if (!name || !namespace || !uid) {
    throw new Fault('invalid_argument', 'config.metadata needs name, namespace and uid');
  }
  const runtime = runtimeNamed(needs.config, request.runtimeHandler);
  refuseUnsupported(config, needs.abilities.get(runtime.name));

  const key = sandboxName(config.metadata);
  const fingerprint = encodeJson([config, runtime.name]);
  return await needs.operations.run(
    { name: `RunPodSandbox ${namespace}/${name} (${key})`, fingerprint },
    call,
    async (operation) => {
      const known = needs.sandboxes.byName(key);
      if (known && isLeftover(needs, known)) {
        operation.stage('remove what is left of an earlier try');
        await removeSandbox(needs, known.id, operation.signal);
      } else if (known) return { podSandboxId: finishedBefore(known, fingerprint).id };
      return { podSandboxId: await run(needs, { name: key, config, runtime }, operation) };
    },
  );
}

/** A sandbox that never was: its making failed, and so did taking it back. */
function isLeftover({ containers }: Pick<Needs, 'containers'>, { id, state }: Sandbox): boolean {
  return state === 'unknown' && containersOf(containers, id).length === 0;
}

/** The sandbox that an earlier call made, when this is a repeat of that call. */
function finishedBefore(known: Sandbox, fingerprint: string): Sandbox {
  const { id, name, state } = known;
  if (encodeJson([known.config, known.runtimeHandler]) !== fingerprint) {
    throw new Fault('already_exists', `pod sandbox "${name}" exists with another config, as ${id}`);
  }
  if (state !== 'ready') {
    throw new Fault('already_exists', `pod sandbox "${name}" exists, stopped, as ${id}; remove it first`);
  }
  return known;
}

async function run(
  needs: Needs,
  { name, config, runtime }: { name: string; config: PodSandboxConfig; runtime: NamedRuntime },
  { signal, stage }: Operation,
): Promise<string> {
  const { sandboxes, log } = needs;
  const id = freshId(config, needs.sandboxes.list(), needs.facts.selinux);
  const stateDir = needs.paths.sandboxState(id);
  const holder = sharesPids(config) || runtime.sandbox === 'pause' ? 'pause' : 'pinned';
  const createdAt = nowNs();
  const record: SandboxRecord = { id, name, config, runtimeHandler: runtime.name, createdAt, holder };

  await using work = new Rollback((step, err) => {
    // What could not be freed stays listed, so that RemovePodSandbox can try again.
    log.error({ err, sandboxId: id, step }, 'rollback stuck');
    sandboxes.put({ ...record, ...NEW_SANDBOX_STATUS, state: 'unknown' });
  });

  stage('look at security profiles');
  const confinement = holder === 'pause' ? await pauseConfinement(needs, record) : null;

  stage('write intent');
  work.onFailure('status', () => sandboxes.forget(id));
  await sandboxes.saveStatus(id, NEW_SANDBOX_STATUS);

  work.onFailure('record', (late) => sandboxes.deleteRecord(id, { signal: late }));
  work.onFailure('files', () => removeSandboxFiles(stateDir));
  work.onFailure('namespaces and network', (late) => releaseSandbox(needs, { id, stateDir, holder }, late));
  stage('record, files, namespaces and network');
  const [ips] = await allSettled<[string[], void, void]>([
    connectNamespaces(needs, record, { signal, stage }),
    saveRecord(needs, record, { runtime, confinement, signal }),
    makeSandboxFiles(stateDir, config, hostnameOf(config, needs.facts)),
  ]);

  stage('start pause container');
  const pid =
    holder === 'pause'
      ? await startPause(needs.containerd.tasks, id, {
          root: pauseRoot(stateDir),
          runtime: runtimeOptions(runtime, needs.cgroupDriver),
          signal,
        })
      : 0;

  stage('write status');
  const status = { ...NEW_SANDBOX_STATUS, state: 'ready', ips, pid } as const;
  await sandboxes.saveStatus(id, status);
  sandboxes.put({ ...record, ...status });
  work.commit();
  return id;
}

/** Pins the sandbox's own namespaces and connects its network. Answers its addresses, none on the host's. */
async function connectNamespaces(
  needs: Needs,
  sandbox: SandboxRecord,
  { signal, stage }: Operation,
): Promise<string[]> {
  const { id, config } = sandbox;
  const request = pinRequest(needs, config, pinsDir(needs.paths.sandboxState(id)));
  const pin = needs.namespaces.pin(request).catch((error: unknown) => {
    throw during('pin namespaces', error);
  });
  if (!request.network) {
    await pin;
    return [];
  }
  const pinned = pin.then(() => stage('CNI ADD'));
  const { cniConfDir } = runtimeNamed(needs.config, sandbox.runtimeHandler);
  const wanted = attachRequest(sandbox, { netns: `${request.dir}/net`, confDir: cniConfDir });
  const attached = needs.network.attach(wanted, signal, pinned);
  // The rollback must not begin while namespaces are still being pinned.
  const [, { ips }] = await allSettled<[void, Attachment]>([pinned, attached]);
  return ips;
}

async function saveRecord(
  needs: Needs,
  record: SandboxRecord,
  { signal, ...parts }: { runtime: NamedRuntime; confinement: Confinement | null; signal: AbortSignal },
): Promise<void> {
  try {
    await needs.sandboxes.saveRecord(record, sandboxObject(needs, record, parts), { signal });
  } catch (error) {
    throw during('write the record to containerd', error);
  }
}

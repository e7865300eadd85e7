import type { NamedRuntime } from '../../config/runtimes.ts';
import { specAny } from '../../container/oci-any.ts';
import { sandboxFiles } from '../../sandbox/files.ts';
import { containerNamespaces, userNamespaceOf } from '../../sandbox/namespaces.ts';
import { pauseRoot } from '../../sandbox/pause.ts';
import { pinsDir } from '../../sandbox/release.ts';
import { sandboxAnnotations } from '../../spec/annotations.ts';
import { EMPTY_SPEC } from '../../spec/build.ts';
import { cgroupsPath } from '../../spec/cgroups-path.ts';
import type { Confinement } from '../../spec/input.ts';
import type { OciSpec } from '../../spec/oci.ts';
import { buildPauseSpec } from '../../spec/pause.ts';
import type { ObjectFields } from '../../store/record-store.ts';
import type { SandboxRecord } from '../../store/sandboxes.ts';
import { runtimeOptions, usesSystemd } from '../runtime-options.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'cgroupDriver' | 'facts' | 'paths'>;

/**
 * The containerd object that a sandbox is recorded on, with the labels of containerd's own CRI, so
 * that `ctr`, nerdctl and cAdvisor recognise it. Without a pause container its spec is only annotations.
 * @param confinement that of the pause container, null without one.
 */
export function sandboxObject(
  needs: Needs,
  record: SandboxRecord,
  { runtime, confinement }: { runtime: NamedRuntime; confinement: Confinement | null },
): ObjectFields {
  const spec = confinement ? pauseSpec(needs, record, { runtime, confinement }) : annotationsOnly(record);
  return {
    labels: { ...record.config.labels, 'io.cri-containerd.kind': 'sandbox' },
    image: '',
    runtime: { name: runtime.type, options: runtimeOptions(runtime, needs.cgroupDriver) },
    spec: specAny(spec),
    snapshotter: '',
    snapshotKey: '',
  };
}

function annotationsOnly({ id, config }: SandboxRecord): OciSpec {
  return { ...EMPTY_SPEC, annotations: sandboxAnnotations({ id, config, imageName: '' }) };
}

function pauseSpec(
  needs: Needs,
  { id, config }: SandboxRecord,
  { runtime, confinement }: { runtime: NamedRuntime; confinement: Confinement },
): OciSpec {
  const dir = needs.paths.sandboxState(id);
  const driver = usesSystemd(runtime, needs.cgroupDriver) ? 'systemd' : 'cgroupfs';
  return buildPauseSpec({
    id,
    config,
    rootPath: pauseRoot(dir),
    args: ['/pause'],
    namespaces: containerNamespaces(config, null, { dir: pinsDir(dir), pausePid: 0, targetPid: 0 }),
    userns: userNamespaceOf(config, pinsDir(dir)),
    files: sandboxFiles(dir, config),
    cgroupsPath: cgroupsPath({ parent: config.linux?.cgroupParent ?? '', id, driver }),
    facts: needs.facts,
    confinement,
    podAnnotations: runtime.podAnnotations,
  });
}

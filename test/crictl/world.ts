import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniOptions, PrivateCni } from '../fixtures/cni.ts';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { Crictl } from '../fixtures/crictl.ts';
import { createCrictl } from '../fixtures/crictl.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import { removeCgroups } from '../fixtures/host-state.ts';
import { busyboxImage, pushImage } from '../fixtures/images.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { MARK, removeScratch, scratchDir, tag } from '../fixtures/scratch.ts';
import type { ContainerdVersion } from '../fixtures/tools.ts';

/**
 * With CRISTAL_TEST_BUILTIN=1 the tests talk to containerd's own CRI instead of cristal. That is how we know
 * that they ask for what a CRI runtime does, and not for what cristal happens to do.
 */
export const usesBuiltin = process.env['CRISTAL_TEST_BUILTIN'] === '1';

/** A CRI server with all that it needs, and crictl to talk to it. */
export interface CrictlWorld extends AsyncDisposable {
  crictl: Crictl;
  containerd: PrivateContainerd;
  cni: PrivateCni;
  /** Undefined with CRISTAL_TEST_BUILTIN. */
  cristal?: PrivateCristal;
  /** The cgroup parent of every pod. */
  cgroup: string;
  /** A busybox image in the world's registry, not pulled yet: by tag, and by digest. */
  image: string;
  imageByDigest: string;
  /** The digest of the image's configuration, which is the image's id. */
  imageId: string;
  /** Writes a pod's configuration for crictl and returns the file. Logs go to a directory of the pod's own. */
  podFile(overrides?: PodOverrides): string;
  containerFile(name: string, command: string[], overrides?: object): string;
}

export interface PodOverrides {
  name?: string;
  linux?: object;
  [key: string]: unknown;
}

/** Starts a registry, a bridge, a containerd and a CRI server, in this order, and ends them in reverse. */
export async function createWorld(
  version: ContainerdVersion,
  options: CniOptions = {},
): Promise<CrictlWorld> {
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(scratchDir('crictl'), removeScratch);
  const cgroup = `/${MARK}-${tag()}`;
  started.defer(() => removeCgroups(cgroup));
  const registry = started.use(await startRegistry());
  const cni = started.use(createCni(options));
  const built = await busyboxImage({ config: { Env: ['PATH=/bin'], Cmd: ['sleep', '3600'] } });
  const digest = await pushImage(registry.url, 'busybox', '1', built);
  const repo = `${registry.host}/busybox`;

  const { certsDir } = registry;
  const pauseImage = `${repo}:1`;
  const forCri = { cri: usesBuiltin, cniConfDir: cni.confDir, certsDir, pauseImage };
  const containerd = started.use(await startContainerd({ version, ...forCri }));
  const cristal = usesBuiltin ? undefined : started.use(await startCristal({ containerd, cni, certsDir }));

  const files = started.move();
  return {
    crictl: createCrictl(cristal?.address ?? containerd.address),
    containerd,
    cni,
    ...(cristal === undefined ? {} : { cristal }),
    cgroup,
    image: `${repo}:1`,
    imageByDigest: `${repo}@${digest}`,
    imageId: built.configDigest,
    podFile: (overrides) => writePod({ dir, cgroup }, overrides),
    containerFile: (name, command, overrides) =>
      writeConfig(dir, {
        metadata: { name },
        image: { image: `${repo}:1` },
        command,
        log_path: `${name}.log`,
        linux: {},
        ...overrides,
      }),
    [Symbol.asyncDispose]: async () => await files.disposeAsync(),
  };
}

function writePod({ dir, cgroup }: { dir: string; cgroup: string }, overrides: PodOverrides = {}): string {
  const { name = `pod-${tag()}`, linux = {}, ...rest } = overrides;
  const logs = join(dir, `logs-${name}`);
  mkdirSync(logs, { recursive: true });
  const metadata = { name, namespace: 'default', uid: `uid-${name}`, attempt: 0 };
  return writeConfig(dir, {
    metadata,
    hostname: name,
    log_directory: logs,
    linux: { cgroup_parent: cgroup, ...linux },
    ...rest,
  });
}

function writeConfig(dir: string, config: object): string {
  const file = join(dir, `${tag()}.json`);
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** What runs until it is stopped, and ends at once on SIGTERM. */
export const sleeper = ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'];

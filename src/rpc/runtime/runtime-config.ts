import { runtimeNamed } from '../../config/runtimes.ts';
import type { RuntimeConfigResponse as Response } from '../../gen/runtime/v1/RuntimeConfigResponse.ts';
import { usesSystemd } from '../runtime-options.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'cgroupDriver' | 'config'>;

/** Tells the kubelet which cgroup driver to use, which is the default handler's. */
export function runtimeConfig({ cgroupDriver, config }: Needs): Response {
  const systemd = usesSystemd(runtimeNamed(config, ''), cgroupDriver);
  return { linux: { cgroupDriver: systemd ? 'SYSTEMD' : 'CGROUPFS' } };
}

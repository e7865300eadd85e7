import type { LinuxContainerResources__Output as Resources } from '../../gen/runtime/v1/LinuxContainerResources.ts';

/**
 * As ContainerStatus reports them: what the update left unset stays. So does the OOM score, which is a matter of
 * processes and not of their cgroup: no runtime can change it any more.
 */
export function mergeResources(before: Resources | null, change: Resources): Resources {
  const set = Object.entries(change).filter(([, value]) => !isUnset(value));
  return { ...(before ?? change), ...Object.fromEntries(set), oomScoreAdj: before?.oomScoreAdj ?? '0' };
}

function isUnset(value: unknown): boolean {
  if (value === '' || value === '0') return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

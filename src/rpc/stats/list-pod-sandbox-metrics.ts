import type { ListPodSandboxMetricsRequest__Output as Request } from '../../gen/runtime/v1/ListPodSandboxMetricsRequest.ts';
import type { ListPodSandboxMetricsResponse as Response } from '../../gen/runtime/v1/ListPodSandboxMetricsResponse.ts';
import type { Call } from '../../lib/call.ts';
import type { MetricsNeeds } from './metric-list.ts';
import { podSandboxMetricsOf } from './metric-list.ts';

export async function listPodSandboxMetrics(
  needs: MetricsNeeds,
  _request: Request,
  call: Call,
): Promise<Response> {
  return { podMetrics: await Array.fromAsync(podSandboxMetricsOf(needs, call)) };
}

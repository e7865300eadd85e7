import type { StreamPodSandboxMetricsRequest__Output as Request } from '../../gen/runtime/v1/StreamPodSandboxMetricsRequest.ts';
import type { StreamPodSandboxMetricsResponse as Response } from '../../gen/runtime/v1/StreamPodSandboxMetricsResponse.ts';
import type { Call } from '../../lib/call.ts';
import { messagesOf } from '../messages.ts';
import type { MetricsNeeds } from './metric-list.ts';
import { podSandboxMetricsOf } from './metric-list.ts';

/** As ListPodSandboxMetrics, for more pods than one message can carry. */
export async function* streamPodSandboxMetrics(
  needs: MetricsNeeds,
  _request: Request,
  call: Call,
): AsyncGenerator<Response> {
  for await (const podSandboxMetrics of messagesOf(podSandboxMetricsOf(needs, call))) {
    yield { podSandboxMetrics };
  }
}

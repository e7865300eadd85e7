import type { ListMetricDescriptorsResponse as Response } from '../../gen/runtime/v1/ListMetricDescriptorsResponse.ts';
import { metricDescriptors } from '../../stats/metrics/table.ts';

export function listMetricDescriptors(): Response {
  return { descriptors: metricDescriptors() };
}

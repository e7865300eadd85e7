import type { VersionRequest__Output as Request } from '../../gen/runtime/v1/VersionRequest.ts';
import type { VersionResponse as Response } from '../../gen/runtime/v1/VersionResponse.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'version'>;

/** The version of the kubelet's own API that the CRI has always had. */
const KUBE_API_VERSION = '0.1.0';

export function version(needs: Needs, _request: Request): Response {
  return {
    version: KUBE_API_VERSION,
    runtimeName: 'cristal',
    runtimeVersion: needs.version,
    runtimeApiVersion: 'v1',
  };
}

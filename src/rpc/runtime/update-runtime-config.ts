import type { UpdateRuntimeConfigRequest__Output as Request } from '../../gen/runtime/v1/UpdateRuntimeConfigRequest.ts';
import type { UpdateRuntimeConfigResponse as Response } from '../../gen/runtime/v1/UpdateRuntimeConfigResponse.ts';
import { nodeConfigFile, templateValues, writeNodeConfig } from '../../host/cni/node-config.ts';
import type { Call } from '../../lib/call.ts';
import type { Services } from '../services.ts';

type Needs = Pick<Services, 'config' | 'network'>;

/**
 * The kubelet tells the ranges of this node's pods. With a template they become the node's network, as long
 * as no other file holds one: an add-on knows better.
 */
export async function updateRuntimeConfig(
  { config, network }: Needs,
  { runtimeConfig }: Request,
  { log }: Call,
): Promise<Response> {
  const podCidr = runtimeConfig?.networkConfig?.podCidr ?? '';
  if (podCidr === '') return {};
  const values = templateValues(podCidr);
  const { confDir, confTemplate } = config.cni;
  if (confTemplate === '') {
    log.debug({ podCidr }, 'no CNI template is configured, a network add-on will write the network');
    return {};
  }
  const { file } = network.config();
  if (file !== '' && file !== nodeConfigFile(confDir)) {
    log.info({ podCidr, file }, 'another file holds the network, the CNI template is left alone');
    return {};
  }
  const changed = await writeNodeConfig({ confDir, template: confTemplate }, values);
  if (changed) log.info({ podCidr, file: nodeConfigFile(confDir) }, 'network written from the CNI template');
  return {};
}

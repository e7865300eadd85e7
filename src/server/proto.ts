import type { ImageServiceDefinition } from '../gen/runtime/v1/ImageService.ts';
import type { RuntimeServiceDefinition } from '../gen/runtime/v1/RuntimeService.ts';
import { loadProtos } from '../lib/load-protos.ts';

interface Definitions {
  'runtime.v1.RuntimeService': RuntimeServiceDefinition;
  'runtime.v1.ImageService': ImageServiceDefinition;
}

const definitions: unknown = loadProtos(['cri.proto']);

/** The services of CRI v1, read once when the module is first imported. */
export const cri = definitions as Definitions;

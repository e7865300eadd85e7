import type { TypedAny } from '../containerd/typed-any.ts';
import type { OciProcess, OciResources, OciSpec } from '../spec/oci.ts';

const PREFIX = 'types.containerd.io/opencontainers/runtime-spec/1/';

/** OCI values travel to containerd as JSON under the name of their Go type. */
export function specAny(spec: OciSpec): TypedAny {
  return pack('Spec', spec);
}

export function processAny(process: OciProcess): TypedAny {
  return pack('Process', process);
}

export function resourcesAny(resources: OciResources): TypedAny {
  return pack('LinuxResources', resources);
}

/** The spec that a container was created with. */
export function specFrom(any: TypedAny): OciSpec {
  return JSON.parse(Buffer.from(any.value).toString('utf8')) as OciSpec;
}

function pack(type: string, value: object): TypedAny {
  return { typeUrl: `${PREFIX}${type}`, value: Buffer.from(JSON.stringify(value)) };
}

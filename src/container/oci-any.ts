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
  return { typeUrl: `${PREFIX}${type}`, value: Buffer.from(JSON.stringify(value, withoutLimit)) };
}

/** The largest uint64 says "no limit". As a number it is 2^64, which is too large for it. */
function withoutLimit(_key: string, value: unknown): unknown {
  return value === 2 ** 64 ? rawJson('18446744073709551615') : value;
}

/** JSON.rawJSON of ECMAScript 2026, which our library of types does not have yet. */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}

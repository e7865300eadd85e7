import type { Any__Output } from '../gen/google/protobuf/Any.ts';

/** A value with the name of its type, as containerd keeps specs, options and extensions. */
export interface TypedAny {
  /** Such as `containerd.runc.v1.Options`; may have a host before a slash. */
  typeUrl: string;
  value: Uint8Array;
}

/** To the wire's shape. Absent stays absent. */
export function toAny(any: TypedAny | null | undefined): { type_url: string; value: Uint8Array } | null {
  return any ? { type_url: any.typeUrl, value: any.value } : null;
}

/** From the wire's shape. Absent stays absent. */
export function fromAny(any: Any__Output | null): TypedAny | null {
  return any ? { typeUrl: any.type_url, value: any.value } : null;
}

/** The bare type name, without the host that some clients put before it. */
export function typeName(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

import type { Descriptor__Output } from '../gen/containerd/types/Descriptor.ts';

/** Points at a blob in the content store. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  annotations: Record<string, string>;
}

/** From the wire, where the size is a decimal string. An absent descriptor points at nothing. */
export function descriptorFrom(wire: Descriptor__Output | null): Descriptor {
  return {
    mediaType: wire?.mediaType ?? '',
    digest: wire?.digest ?? '',
    size: Number(wire?.size ?? 0),
    annotations: wire?.annotations ?? {},
  };
}

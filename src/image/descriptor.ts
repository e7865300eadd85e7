/** Names a blob by what it holds, as the OCI image spec does. Same shape as containerd's own. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
  annotations: Record<string, string>;
}

const DIGEST = /^sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$/;

/** Whether the text is a digest of one of the algorithms that containerd verifies. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

import { createHash } from 'node:crypto';

/**
 * The chain ids of a stack of layers, lowest first: each names the file system up to and with its layer
 * (OCI image spec, "Layer ChainID").
 */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    const id = below === undefined ? diffId : `sha256:${sha256(`${below} ${diffId}`)}`;
    chain.push(id);
  }
  return chain;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

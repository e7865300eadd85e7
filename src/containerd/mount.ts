import type { Mount__Output } from '../gen/containerd/types/Mount.ts';

/** One mount that makes up a root file system. An empty `target` is the root itself. */
export interface Mount {
  type: string;
  source: string;
  target: string;
  options: string[];
}

/** From the wire: the same fields in an object of our own. */
export function mountFrom({ type, source, target, options }: Mount__Output): Mount {
  return { type, source, target, options };
}

import type { Config } from '../config/schema.ts';
import { readText, writeFileAtomic } from '../host/files.ts';

type Settings = Pick<Config, 'root' | 'containerd'>;

/** Notes which containerd the records of this root are in. */
export async function noteContainerd({ root, containerd }: Settings): Promise<void> {
  await writeFileAtomic(fileIn(root), nameOf(containerd));
}

/**
 * Why the containerd of these settings is not where the records of the root are: they were changed since the last
 * daemon ran, and all of its pods would look dead. Null when it is, or when no daemon ran yet.
 */
export async function otherContainerd({ root, containerd }: Settings): Promise<string | null> {
  const noted = await readText(fileIn(root));
  if (noted === null || noted === nameOf(containerd)) return null;
  return `the last cristal on ${root} worked with ${noted.trim()}, and these settings name ${nameOf(containerd).trim()}`;
}

function fileIn(root: string): string {
  return `${root}/containerd`;
}

function nameOf({ address, namespace }: Config['containerd']): string {
  return `namespace ${namespace} of ${address}\n`;
}

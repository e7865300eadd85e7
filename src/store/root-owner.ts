import { listDir, readText, writeFileAtomic } from '../host/files.ts';
import type { Paths } from './paths.ts';

/** Where the records of a root are. */
export interface RecordPlace {
  readonly namespace: string;
  readonly address: string;
  /** What containerd calls itself, wherever its socket is and whatever its version; empty where it is not known. */
  readonly uuid: string;
}

/** Notes where the records of this root are, before any is made there. */
export async function noteContainerd(root: string, place: RecordPlace): Promise<void> {
  await writeFileAtomic(noteFile(root), `${textOf(place)}\n`);
}

/**
 * Why the place is not where the records of the root are: the settings were changed, or containerd was replaced,
 * since the last daemon ran, and all of its pods would look dead. Null when it is, or when no daemon ran yet.
 */
export async function otherContainerd(root: string, place: RecordPlace): Promise<string | null> {
  const noted = await readText(noteFile(root));
  if (noted === null || isAt(noted.trim(), place)) return null;
  return `the last cristal on ${root} worked with ${noted.trim()}, and these settings lead to ${textOf(place)}`;
}

/** Whether anything that a daemon would recover is written down in the root. */
export async function isUsed({ sandboxRoots, containerRoots, cniCache }: Paths): Promise<boolean> {
  for (const dir of [sandboxRoots, containerRoots, cniCache]) {
    if ((await listDir(dir)).length > 0) return true;
  }
  return false;
}

/** The note whose removal makes cristal forget where its records were. */
export function noteFile(root: string): string {
  return `${root}/containerd`;
}

/** A note that says nothing that we understand is of another place. */
function isAt(noted: string, place: RecordPlace): boolean {
  const {
    namespace,
    address,
    uuid = '',
  } = /^namespace (?<namespace>\S+) of (?<address>.+?)(?: \((?<uuid>\S+)\))?$/.exec(noted)?.groups ?? {};
  if (namespace !== place.namespace) return false;
  return uuid === '' || place.uuid === '' ? address === place.address : uuid === place.uuid;
}

function textOf({ namespace, address, uuid }: RecordPlace): string {
  return `namespace ${namespace} of ${address}${uuid === '' ? '' : ` (${uuid})`}`;
}

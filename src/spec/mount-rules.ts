import { posix } from 'node:path';
import type { Mount__Output } from '../gen/runtime/v1/Mount.ts';
import { during, Fault } from '../lib/fault.ts';
import type { RuntimeAbilities } from '../lib/runtime-abilities.ts';
import { mountIds } from './id-mappings.ts';

/** What a mount may ask for besides its own fields. The others would undo what those say. */
const OPTIONS = ['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime'];

/**
 * Refuses what no machine could give with `invalid_argument`, and what the pod's runtime cannot with
 * `failed_precondition`. Messages begin with the words that the kubelet looks for, where it does.
 */
export function checkMounts(
  mounts: readonly Mount__Output[],
  able: Pick<RuntimeAbilities, 'recursiveReadOnly'> | undefined,
): void {
  for (const wanted of mounts) {
    const at = `mount at "${wanted.containerPath}"`;
    const problem = pathProblem(wanted) ?? readOnlyProblem(wanted) ?? optionProblem(wanted);
    if (problem !== null) throw new Fault('invalid_argument', `${at}: ${problem}`);
    const ofImage = isImageVolume(wanted) ? imageProblem(wanted) : null;
    if (ofImage !== null) throw new Fault('invalid_argument', `ImageVolumeMountFailed: ${at}: ${ofImage}`);
    if (wanted.recursiveReadOnly && !able?.recursiveReadOnly) {
      const lack = 'the runtime of its pod, or this kernel, has no recursive read-only mounts';
      throw new Fault('failed_precondition', `RROUnsupported: ${at}: ${lack}`);
    }
    checkIds(wanted, at);
  }
}

/** The copy that is id-mapped hears of the machine's mounts, and nothing that is mounted in it leaves it. */
function checkIds(wanted: Mount__Output, at: string): void {
  const { propagation } = wanted;
  try {
    if (mountIds(wanted) === null || propagation !== 'PROPAGATION_BIDIRECTIONAL') return;
  } catch (error) {
    throw during(at, error);
  }
  throw new Fault('invalid_argument', `${at}: an id-mapped mount cannot be bidirectional`);
}

export function isImageVolume({ image }: Pick<Mount__Output, 'image'>): boolean {
  return image !== null;
}

function pathProblem({ containerPath, hostPath, image }: Mount__Output): string | null {
  if (!posix.isAbsolute(containerPath)) return 'the container path is not absolute';
  if (posix.resolve(containerPath) === '/') return 'the root of the container is its image';
  if (image === null && !posix.isAbsolute(hostPath)) return `the host path "${hostPath}" is not absolute`;
  return null;
}

function readOnlyProblem({ readonly, recursiveReadOnly, propagation }: Mount__Output): string | null {
  if (!recursiveReadOnly) return null;
  if (!readonly) return 'recursive_read_only needs readonly';
  return propagation === 'PROPAGATION_PRIVATE' ? null : 'recursive_read_only needs private propagation';
}

function optionProblem({ mountOptions }: Mount__Output): string | null {
  const unknown = mountOptions.find((option) => !OPTIONS.includes(option));
  if (unknown === undefined) return null;
  return `mount option "${unknown}" is not one of ${OPTIONS.join(', ')}`;
}

function imageProblem({
  image,
  hostPath,
  readonly,
  propagation,
  imageSubPath,
}: Mount__Output): string | null {
  if (!image?.image) return 'its image has no name';
  if (hostPath !== '') return 'it names both an image and a host path';
  if (!readonly) return 'an image can only be mounted with readonly';
  if (propagation !== 'PROPAGATION_PRIVATE') return 'an image can only be mounted with private propagation';
  if (posix.isAbsolute(imageSubPath)) return `the sub path "${imageSubPath}" is absolute`;
  return imageSubPath.split('/').includes('..') ? `the sub path "${imageSubPath}" has ".." in it` : null;
}

import type { ContainerConfig__Output } from '../../gen/runtime/v1/ContainerConfig.ts';
import { Fault } from '../../lib/fault.ts';

/** Both halves of a kind, and the names of devices, which may start with a digit and have colons. */
const WORD = /^[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const DEVICE = /^[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;

const ANNOTATION = 'cdi.k8s.io/';

type Wish = Pick<ContainerConfig__Output, 'CDIDevices' | 'annotations'>;

export function isKind(kind: string): boolean {
  const words = kind.split('/');
  return words.length === 2 && words.every((word) => WORD.test(word));
}

export function isDeviceName(name: string): boolean {
  return DEVICE.test(name);
}

/**
 * The full names (`vendor/class=device`) of the devices that a container asks for: those of the CRI's own field,
 * then those of its annotations, each once. Throws `invalid_argument` for what is no such name.
 */
export function askedDevices({ CDIDevices, annotations }: Wish): string[] {
  const annotated = Object.entries(annotations)
    .filter(([key]) => key.startsWith(ANNOTATION))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, value]) => value.split(',').map((name) => ({ from: `annotation ${key}`, name })));
  const all = [...CDIDevices.map(({ name }) => ({ from: 'CDI_devices', name })), ...annotated];
  for (const { from, name } of all) {
    const split = name.indexOf('=');
    if (split < 0 || !isKind(name.slice(0, split)) || !isDeviceName(name.slice(split + 1))) {
      throw new Fault('invalid_argument', `${from}: "${name}" is not of the form vendor/class=device`);
    }
  }
  return [...new Set(all.map(({ name }) => name))];
}

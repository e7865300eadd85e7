import type { Reference } from './reference.ts';

/** containerd refuses a label whose name and value together have more characters. */
const MAX_LABEL = 4096;

const PREFIX = 'containerd.io/distribution.source.';

/** Tells other tools where a blob can be had again, as containerd's own pulls do: by host, without its port. */
export function sourceLabel({ host, path }: Pick<Reference, 'host' | 'path'>): Record<string, string> {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return { [PREFIX + name]: path };
}

/**
 * The labels that a blob lacks of those that it is to have. Where it can be had is added to what is known;
 * as many repositories as fit in a label, in order.
 */
export function missingLabels(
  has: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): Record<string, string> {
  const merged = Object.entries(wanted).map(([name, value]) => [
    name,
    name.startsWith(PREFIX) ? withRepository(name, has[name] ?? '', value) : value,
  ]);
  return Object.fromEntries(merged.filter(([name = '', value]) => has[name] !== value));
}

function withRepository(label: string, known: string, path: string): string {
  const paths = [...new Set([...known.split(','), path])].filter((one) => one !== '').toSorted();
  while (paths.length > 1 && label.length + paths.join(',').length > MAX_LABEL) paths.shift();
  return paths.join(',');
}

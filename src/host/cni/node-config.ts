import { isIP, isIPv6 } from 'node:net';
import { during, Fault } from '../../lib/fault.ts';
import { ensureDir, readText, writeFileAtomic } from '../files.ts';
import { parseNetworkConfig } from './config.ts';
import type { TemplateValues } from './template.ts';
import { renderTemplate } from './template.ts';

/** What we write; a network of an add-on usually sorts before it or after it, and one of them is used. */
const FILE = '10-cristal-net.conflist';

/** Where this writes in a configuration directory. */
export function nodeConfigFile(confDir: string): string {
  return `${confDir}/${FILE}`;
}

/**
 * Reads the ranges that a node was given for its pods, separated by commas.
 * @throws Fault invalid_argument naming what is no range.
 */
export function templateValues(podCidr: string): TemplateValues {
  const ranges = podCidr.split(',').map((range) => range.trim());
  for (const range of ranges) {
    const [address = '', bits = '', ...more] = range.split('/');
    const longest = isIPv6(address) ? 128 : 32;
    const isRange =
      isIP(address) !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= longest && more.length === 0;
    if (!isRange) throw new Fault('invalid_argument', `pod CIDR "${range}" is not ADDRESS/BITS`);
  }
  const v6 = ranges.filter((range) => range.includes(':')).length;
  const routes = [...(v6 < ranges.length ? ['0.0.0.0/0'] : []), ...(v6 > 0 ? ['::/0'] : [])];
  return { PodCIDR: ranges[0] ?? '', PodCIDRRanges: ranges, Routes: routes };
}

/**
 * Writes the network of this node from a template. Nothing is written unless the result is a network. Answers
 * whether the file was changed.
 */
export async function writeNodeConfig(
  { confDir, template }: { confDir: string; template: string },
  values: TemplateValues,
): Promise<boolean> {
  const text = await readText(template);
  if (text === null) throw new Fault('failed_precondition', `CNI template ${template} does not exist`);
  let rendered: string;
  try {
    rendered = renderTemplate(text, values);
    const { plugins } = parseNetworkConfig(FILE, rendered);
    if (plugins.length === 0) throw new Fault('invalid_argument', 'has no plugins');
  } catch (error) {
    throw during(`CNI template ${template}`, error, 'failed_precondition');
  }
  const file = nodeConfigFile(confDir);
  if ((await readText(file)) === rendered) return false;
  await ensureDir(confDir);
  await writeFileAtomic(file, rendered);
  return true;
}

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeConfigFile, templateValues, writeNodeConfig } from './node-config.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cristal-node-config-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test.each([
  ['10.1.0.0/24', ['10.1.0.0/24'], ['0.0.0.0/0']],
  ['fd00::/64', ['fd00::/64'], ['::/0']],
  ['10.1.0.0/24, fd00::/64', ['10.1.0.0/24', 'fd00::/64'], ['0.0.0.0/0', '::/0']],
])('%s', (podCidr, ranges, routes) => {
  expect(templateValues(podCidr)).toEqual({ PodCIDR: ranges[0], PodCIDRRanges: ranges, Routes: routes });
});

test.each(['10.1.0.0', '10.1.0.0/33', 'fd00::/129', '10.1.0.0/24,', 'pods', '10.1.0.0/2/4', '10.1.0.0/"}'])(
  '%s is refused',
  (podCidr) => {
    expect(() => templateValues(podCidr)).toThrow('is not ADDRESS/BITS');
  },
);

test('a network is written whole, once, with nothing beside it', async () => {
  const template = join(dir, 'template');
  const confDir = join(dir, 'net.d');
  writeFileSync(
    template,
    '{"name": "n", "cniVersion": "1.0.0", "plugins": [{"type": "bridge", "ipam": {"subnet": "{{.PodCIDR}}"}}]}',
  );
  const values = templateValues('10.1.0.0/24');
  expect(await writeNodeConfig({ confDir, template }, values)).toBe(true);
  expect(await writeNodeConfig({ confDir, template }, values)).toBe(false);
  expect(readdirSync(confDir)).toEqual(['10-cristal-net.conflist']);
  expect(JSON.parse(readFileSync(nodeConfigFile(confDir), 'utf8'))).toMatchObject({
    plugins: [{ ipam: { subnet: '10.1.0.0/24' } }],
  });
});

test.each([
  ['no such file', null, 'does not exist'],
  ['no JSON', '{"name": {{.PodCIDR}}}', 'is not JSON'],
  ['no plugins', '{"name": "n", "cniVersion": "1.0.0", "plugins": []}', 'has no plugins'],
  ['an unknown value', '{{.Nothing}}', '.Nothing is not known'],
])('a template with %s writes nothing', async (_, text, message) => {
  const template = join(dir, 'template');
  if (text !== null) writeFileSync(template, text);
  const confDir = join(dir, 'net.d');
  await expect(writeNodeConfig({ confDir, template }, templateValues('10.1.0.0/24'))).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining(message) as string,
  });
  expect(readdirSync(dir)).not.toContain('net.d');
});

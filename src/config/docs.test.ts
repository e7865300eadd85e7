import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ReferenceRow, ReferenceTable } from './render.ts';
import { reference, renderValue } from './render.ts';

const PAGE = new URL('../../docs/configuration.md', import.meta.url).pathname;
const BEGIN =
  '<!-- settings: made from src/config/settings.ts by `npx vitest run --project unit src/config -u` -->\n';
const END = '<!-- end of settings -->\n';

test('docs/configuration.md has every setting as the code has it', async () => {
  const page = readFileSync(PAGE, 'utf8');
  const begin = page.indexOf(BEGIN) + BEGIN.length;
  const end = page.indexOf(END);
  expect(begin).toBeGreaterThanOrEqual(BEGIN.length);
  expect(end).toBeGreaterThanOrEqual(begin);
  const section = `${reference().map(renderTable).join('')}\n`;
  await expect(page.slice(0, begin) + section + page.slice(end)).toMatchFileSnapshot(PAGE);
});

function renderTable({ name, doc, rows }: ReferenceTable): string {
  const title = name === '' ? 'Before the first table' : `\`[${name}]\``;
  const head = '| key | default | takes | meaning |\n| --- | --- | --- | --- |\n';
  return `\n### ${title}\n\n${doc === '' ? '' : `${doc}\n\n`}${head}${rows.map(renderRow).join('')}`;
}

function renderRow({ key, field, fallback }: ReferenceRow): string {
  const shown = fallback === null ? 'unset' : `\`${renderValue(fallback)}\``;
  return `| \`${key}\` | ${shown} | ${field.expects} | ${field.doc} |\n`;
}

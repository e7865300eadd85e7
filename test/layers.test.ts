import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const src = resolve(import.meta.dirname, '../src');

/** The layers from the bottom up. A folder may import those of lower rows, `lib`, and itself. */
const layers = [
  ['lib'],
  ['grpc'],
  ['spec', 'image', 'containerd', 'host'],
  ['store', 'io', 'registry', 'sandbox', 'observe'],
  ['container', 'stats'],
  ['streaming', 'daemon', 'doctor'],
  ['rpc'],
  ['server'],
  ['cli'],
  ['create-services.ts'],
  ['main.ts'],
  ['start.ts', 'warm-up.ts'],
];

/** The shape of the configuration is known everywhere; what reads it or chooses from it, to these. */
const mayImportConfig = ['rpc', 'cli', 'create-services.ts', 'main.ts'];

/** Modules that reach the machine, which only src/host may import. */
const machineModules = /^(node:(fs|fs\/promises|child_process|dgram|cluster)|koffi)$/;

/** Other files that may reach the machine, each with its reason. */
const mayReachTheMachine: Record<string, string> = {
  'config/read.ts': 'reads the configuration file before there is anything else',
  'start.ts': 'becomes the daemon, before there is anything else',
  'warm-up.ts': 'finds what there is to compile',
};

interface Import {
  file: string;
  /** The folder of src, or the file in src itself, such as "main.ts". */
  from: string;
  specifier: string;
  isType: boolean;
}

const imports = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('gen/'))
  .flatMap(importsOf);

describe('imports', () => {
  test('are found at all', () => {
    expect(imports.length).toBeGreaterThan(20);
  });

  test('go down the layers, and never sideways', () => {
    expect(imports.filter(isAgainstTheLayers).map(describeImport)).toEqual([]);
  });

  test('of generated code are of types only, since the files exist for tsc alone', () => {
    const wrong = imports.filter((entry) => targetOf(entry) === 'gen' && !entry.isType);
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test('of the machine are in src/host', () => {
    const wrong = imports.filter(
      ({ file, from, specifier, isType }) =>
        from !== 'host' && !isType && machineModules.test(specifier) && !(file in mayReachTheMachine),
    );
    expect(wrong.map(describeImport)).toEqual([]);
  });

  test('need no exception that nobody uses', () => {
    const used = imports.filter(({ specifier }) => machineModules.test(specifier)).map(({ file }) => file);
    expect(Object.keys(mayReachTheMachine).filter((file) => !used.includes(file))).toEqual([]);
  });
});

test.each([
  ['spec', '../host/facts.ts', true],
  ['store', '../io/log-pump.ts', true],
  ['containerd', '../rpc/index.ts', true],
  ['rpc', '../store/sandboxes.ts', false],
  ['host', '../lib/fault.ts', false],
  ['spec', '../gen/cri.ts', false],
])('an import of %s from %s: against the layers %s', (from, specifier, expected) => {
  expect(isAgainstTheLayers({ file: `${from}/some.ts`, from, specifier, isType: true })).toBe(expected);
});

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  const from = file.split('/')[0] ?? file;
  const statements = text.matchAll(/^(import|export)(\s+type)?\s[^;]*?\bfrom\s+'([^']+)'/gm);
  const bare = text.matchAll(/^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm);
  return [
    ...[...statements].map(([, , type, specifier = '']) => ({
      file,
      from,
      specifier,
      isType: type !== undefined,
    })),
    ...[...bare].map(([, plain, dynamic]) => ({
      file,
      from,
      specifier: plain ?? dynamic ?? '',
      isType: false,
    })),
  ];
}

/** The folder of src that is imported; null for packages and node's own modules. */
function targetOf({ file, specifier }: Import): string | null {
  if (!specifier.startsWith('.')) return null;
  return relative(src, resolve(src, file, '..', specifier)).split('/')[0] ?? null;
}

function isAgainstTheLayers(entry: Import): boolean {
  const target = targetOf(entry);
  if (target === null || target === entry.from || target === 'gen' || target === 'lib') return false;
  // main.ts and the command line tell the version, which package.json has.
  if (target === '..') return !entry.specifier.endsWith('/package.json');
  if (target === 'config') return !entry.isType && !mayImportConfig.includes(entry.from);
  return rowOf(target) === -1 || rowOf(entry.from) <= rowOf(target);
}

function rowOf(folder: string): number {
  return layers.findIndex((names) => names.includes(folder));
}

function describeImport({ file, specifier }: Import): string {
  return `src/${file} imports ${specifier}`;
}

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawChart } from './chart.ts';
import type { Line } from './lines.ts';
import { reportText } from './report.ts';

/** What one scene gave when it was last played. */
export interface SceneResult {
  readonly name: string;
  readonly what: string;
  readonly date: string;
  /** How much of the usual number of rounds. */
  readonly scale: number;
  readonly processors: number;
  /** Of the minute before: what else the machine had to do. */
  readonly load: number;
  /** The file system that both sides keep on what is not in memory. */
  readonly disk: string;
  readonly notes: readonly string[];
  readonly lines: readonly Line[];
}

/** What was measured before, in the order of the scenes' names given; what has another shape is forgotten. */
export function readResults(dir: string, names: readonly string[]): SceneResult[] {
  const file = join(dir, 'latest.json');
  if (!existsSync(file)) return [];
  const { scenes = [] } = JSON.parse(readFileSync(file, 'utf8')) as { scenes?: SceneResult[] };
  return inOrder(scenes, names);
}

/** The results with this one in the place of the older one of its scene. */
export function merged(results: readonly SceneResult[], one: SceneResult, names: readonly string[]) {
  return inOrder([...results.filter(({ name }) => name !== one.name), one], names);
}

function inOrder(results: readonly SceneResult[], names: readonly string[]): SceneResult[] {
  return names.flatMap((name) => results.filter((result) => result.name === name));
}

/** Writes all that is shown of a run: the figures, the tables, the chart. */
export function writeResults(dir: string, scenes: readonly SceneResult[]): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'latest.json'), `${JSON.stringify({ scenes }, null, 1)}\n`);
  writeFileSync(join(dir, 'latest.md'), reportText(scenes));
  writeFileSync(join(dir, 'chart.svg'), drawChart(scenes.flatMap(({ lines }) => lines)));
}

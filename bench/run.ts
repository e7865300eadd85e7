// cristal and containerd's built-in CRI side by side, in turns, on the same runc, CNI plugins and image: what
// docs/performance.md shows. `npm run bench [pods]`; fewer pods than 300 make it shorter.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawChart } from './chart.ts';
import type { Report } from './report.ts';
import { printReport, reportOf } from './report.ts';
import { logLines } from './scenes/logs.ts';
import { manyPods } from './scenes/many-pods.ts';
import { onePod } from './scenes/one-pod.ts';
import { tenPods } from './scenes/ten-pods.ts';
import { startSides } from './sides.ts';
import { noTimes } from './times.ts';

const PODS = Number(process.argv[2] ?? 300);

const results = join(import.meta.dirname, '../docs/performance');
const times = noTimes();
const say = (what: string): void => void process.stderr.write(`bench: ${what}\n`);
{
  await using bench = await startSides();
  say('one pod at a time');
  await onePod(bench, times);
  say('ten pods at a time');
  await tenPods(bench, times);
  say('log lines');
  await logLines(bench, times);
  say(`${PODS} pods on each side`);
  await manyPods(bench, times, PODS);
}
const report: Report = reportOf(times, PODS);
printReport(report);
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'latest.json'), `${JSON.stringify(report, null, 2)}\n`);
writeFileSync(join(results, 'chart.svg'), drawChart(report));

import { existsSync, readFileSync } from 'node:fs';

/** Prints the numbers from 1 on, one every 10 ms, until it is told to stop. */
export const COUNTER = [
  'sh',
  '-c',
  'trap "exit 0" TERM; i=0; while true; do i=$((i+1)); echo "line $i"; usleep 10000; done',
];

/** The contents of a log file's lines, without time, stream and tag. */
export function logLines(file: string): string[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8').trimEnd() : '';
  return text === '' ? [] : text.split('\n').map((line) => line.split(' ').slice(3).join(' '));
}

/** How many lines the counter has logged. Throws when one is missing, doubled, torn or out of order. */
export function countedLines(file: string): number {
  const { count, missing } = countLines(file);
  if (missing.length > 0) throw new Error(`lines ${missing.join(', ')} are missing`);
  return count;
}

/** The number of the last line, and those that are missing. Throws when one is doubled, torn or out of order. */
export function countLines(file: string): { count: number; missing: number[] } {
  const missing: number[] = [];
  let count = 0;
  for (const line of logLines(file)) {
    const number = Number(/^line (\d+)$/.exec(line)?.[1] ?? Number.NaN);
    if (!(number > count)) throw new Error(`after line ${count} came "${line}"`);
    for (count += 1; count < number; count += 1) missing.push(count);
  }
  return { count, missing };
}

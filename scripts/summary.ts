// Usage: summary.ts RESULTS. Prints one line with the numbers of vitest's JSON report.
import { readFileSync } from 'node:fs';

interface Results {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  /** False also when a file could not be loaded, which is no failed test. */
  success: boolean;
  testResults: { name: string; status: string; message: string; assertionResults: unknown[] }[];
}

const [file = ''] = process.argv.slice(2);
const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
const broken = results.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
);
for (const { name, message } of broken) process.stdout.write(`could not run ${name}: ${message}\n`);

const failed = results.numFailedTests + broken.length;
const skipped = results.numPendingTests + results.numTodoTests;
process.stdout.write(`${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = results.success && failed === 0 ? 0 : 1;

import { Fault } from '../lib/fault.ts';
import { runProcess } from './process.ts';

const ANSWER_MS = 5_000;

/**
 * The features document that an OCI runtime tells by `RUNTIME features`, which runc has since 1.1.
 * `binary` is a path, or a name to be found in our PATH. Rejects when it cannot be asked.
 */
export async function readRuntimeFeatures(binary: string): Promise<unknown> {
  const run = { file: binary, args: ['features'], env: { PATH: process.env['PATH'] ?? '' } };
  const { code, stdout, stderr } = await runProcess({ ...run, timeoutMs: ANSWER_MS });
  if (code === 0) return JSON.parse(stdout.toString('utf8')) as unknown;
  const said = stderr.toString('utf8').trim().split('\n').at(-1) ?? '';
  throw new Fault('unimplemented', `run ${binary} features: exit code ${code}: ${said}`);
}

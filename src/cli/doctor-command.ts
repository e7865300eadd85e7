import { pino } from 'pino';
import type { Config } from '../config/schema.ts';
import { createContainerd } from '../containerd/client.ts';
import { connect } from '../containerd/connection.ts';
import { examine, examineAndFix } from '../doctor/doctor.ts';
import { exitCodeOf, reportJson, reportText } from '../doctor/report.ts';
import { createPaths } from '../store/paths.ts';
import type { Given } from './image-command-line.ts';

/** What is asked of the doctor. */
export interface DoctorWish {
  readonly kind: 'doctor';
  readonly fix: boolean;
  readonly json: boolean;
}

/** The options of `cristal doctor` alone; it has --json in common with others. */
export const doctorOptions = [
  { name: 'fix', takes: '', doc: 'Clean what is provably ours and dead. Refused while the daemon runs.' },
] as const;

/** Takes what follows `cristal doctor`. A string says what is wrong with it. */
export function parseDoctorWish(given: Given, operands: readonly string[]): DoctorWish | string {
  if (operands.length > 0) return 'doctor takes no argument';
  return { kind: 'doctor', fix: given['fix'] === true, json: given['json'] === true };
}

/** Runs it. Answers what to print, and the exit code: 0 clean, 1 not. */
export async function runDoctor({
  fix,
  json,
  config,
}: DoctorWish & { config: Config }): Promise<{ text: string; exitCode: number }> {
  // What it finds it prints; what its parts would log of themselves is no finding.
  const log = pino({ level: 'silent' });
  using connection = connect({ ...config.containerd, log });
  const needs = { config, containerd: createContainerd(connection), paths: createPaths(config) };
  const report = fix ? await examineAndFix(needs, log) : await examine(needs);
  return { text: json ? reportJson(report) : reportText(report), exitCode: exitCodeOf(report) };
}

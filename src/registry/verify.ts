import { join } from 'node:path';
import type { Logger } from 'pino';
import type { ImagesConfig } from '../config/schema.ts';
import { exists, listDir } from '../host/files.ts';
import type { ProcessResult } from '../host/process.ts';
import { runProcess } from '../host/process.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { Fault, messageOf } from '../lib/fault.ts';

interface Needs {
  config: Pick<ImagesConfig, 'verifierDir' | 'verifierTimeoutMs' | 'maxVerifiers'>;
  log: Logger;
}

const INPUT_TYPE = 'application/vnd.oci.descriptor.v1+json';

/** What is kept of a verifier's words, in bytes. */
const MAX_OUTPUT = 32 * 1024;

/** What is told of a reason, in characters: it ends in the events of the pod. */
const MAX_REASON = 1_000;

/**
 * Asks every program of the verifier directory about an image, one after the other by file name, with the
 * command line and input that containerd's bindir verifier gives them. Throws `permission_denied` as soon as
 * one refuses, does not answer in time or cannot be run; so does a directory that is not there.
 */
export async function verifyImage(
  { config, log }: Needs,
  { name, target }: { name: string; target: Descriptor },
  signal: AbortSignal,
): Promise<void> {
  const { verifierDir, maxVerifiers } = config;
  if (verifierDir === '') return;
  if (!(await exists(verifierDir))) throw refusal(name, `verifier_dir ${verifierDir} is not there`);
  const programs = await listDir(verifierDir);
  if (programs.length > maxVerifiers) {
    throw refusal(name, `${verifierDir} has ${programs.length} files, but max_verifiers is ${maxVerifiers}`);
  }
  for (const program of programs) {
    const file = join(verifierDir, program);
    const result = await judge(file, { name, target, timeoutMs: config.verifierTimeoutMs }, signal);
    const reason = textOf(result.stdout);
    log.info({ image: name, verifier: program, code: result.code, reason }, 'image judged by a verifier');
    if (result.stderr.length > 0)
      log.debug({ verifier: program, stderr: textOf(result.stderr) }, 'verifier said');
    if (result.code === 0) continue;
    const ending = result.code === null ? `ended by ${result.signal}` : `exit code ${result.code}`;
    throw refusal(name, `${program}: ${reason === '' ? ending : reason}`);
  }
}

async function judge(
  file: string,
  { name, target, timeoutMs }: { name: string; target: Descriptor; timeoutMs: number },
  signal: AbortSignal,
): Promise<ProcessResult> {
  const { mediaType, digest, size } = target;
  try {
    return await runProcess({
      file,
      args: ['-name', name, '-digest', digest, '-stdin-media-type', INPUT_TYPE],
      env: environment(),
      stdin: JSON.stringify({ mediaType, digest, size }),
      timeoutMs,
      signal,
      maxOutput: MAX_OUTPUT,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw refusal(name, messageOf(error), error);
  }
}

/** Verifiers fetch signatures, so they need the proxies and the PATH that we have. */
function environment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).map(([key, value]) => [key, value ?? '']));
}

function textOf(output: Buffer): string {
  return output.toString().trim().slice(0, MAX_REASON);
}

/** The first word is what the kubelet looks for. */
function refusal(name: string, why: string, cause?: unknown): Fault {
  return new Fault('permission_denied', `SignatureValidationFailed: ${name}: ${why}`, { cause });
}

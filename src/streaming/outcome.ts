/** How a session ended, before it is put into the words of one protocol version. */
export type Outcome = { kind: 'exit'; code: number } | { kind: 'failure'; message: string };

/** The Kubernetes API's Status object, as far as it is used here. */
interface Status {
  metadata: object;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: { causes: { reason?: string; message: string }[] };
  code?: number;
}

/** Protocol versions 4 and 5: a Status in JSON, always. Clients take the exit code from its cause. */
export function statusJson(outcome: Outcome): string {
  return JSON.stringify(statusOf(outcome));
}

/** Versions 1 to 3: a sentence for people, and nothing after a success. */
export function statusText(outcome: Outcome): string {
  return statusOf(outcome).message ?? '';
}

function statusOf(outcome: Outcome): Status {
  if (outcome.kind === 'failure') {
    return {
      metadata: {},
      status: 'Failure',
      message: `Internal error occurred: ${outcome.message}`,
      reason: 'InternalError',
      details: { causes: [{ message: outcome.message }] },
      code: 500,
    };
  }
  if (outcome.code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${outcome.code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(outcome.code) }] },
  };
}

import type { Logger } from 'pino';
import { lockRoot } from '../host/root-lock.ts';
import { isCode, messageOf } from '../lib/fault.ts';
import { otherContainerd } from '../store/root-owner.ts';
import { diagnose } from './diagnose.ts';
import { fix } from './fix.ts';
import type { DoctorNeeds } from './gather.ts';
import { gatherFacts } from './gather.ts';
import type { Report } from './report.ts';

/** Looks only; a daemon may run or not. */
export async function examine(needs: DoctorNeeds): Promise<Report> {
  return { findings: diagnose(await gatherFacts(needs)), fixed: [], refused: null };
}

/**
 * Looks, and cleans what is provably ours and dead. It has the root to itself while it does both; where a daemon
 * has it, or has last had it with another containerd, nothing is cleaned.
 */
export async function examineAndFix(needs: DoctorNeeds, log: Logger): Promise<Report> {
  let lock: AsyncDisposable;
  try {
    lock = await lockRoot(needs.config.root);
  } catch (error) {
    if (!isCode(error, 'failed_precondition')) throw error;
    return { ...(await examine(needs)), refused: messageOf(error) };
  }
  await using _held = lock;
  // By the lock it is us who work on the root, and what was only intended is dead.
  const findings = diagnose({ ...(await gatherFacts(needs)), running: false });
  const { root, containerd } = needs.config;
  const { uuid } = await needs.containerd.introspection.server();
  const refused = await otherContainerd(root, { ...containerd, uuid });
  if (refused !== null) return { findings, fixed: [], refused };
  return { findings, fixed: await fix(needs, findings, log), refused: null };
}

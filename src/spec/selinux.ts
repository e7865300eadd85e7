import type { SELinuxOption__Output as SelinuxOption } from '../gen/runtime/v1/SELinuxOption.ts';
import { Fault } from '../lib/fault.ts';
import type { SelinuxContexts } from '../lib/host-facts.ts';
import type { SpecOption } from './build.ts';

/** Labels of a container: of its processes, empty for none, and of the files that only it may use. */
export interface SelinuxLabels {
  readonly process: string;
  readonly mount: string;
}

interface LabelWish {
  readonly pod: SelinuxOption | null;
  /** Null for the pod's own process. */
  readonly container: SelinuxOption | null;
  /** Of the sandbox. */
  readonly podId: string;
  readonly privileged: boolean;
}

/** How many categories policies have. */
const CATEGORIES = 1024;

const NAME = /^[\w.-]+$/;
const LEVEL = /^s\d{1,2}(-s\d{1,2})?(:c\d{1,4}([.,]c\d{1,4})*)?$/;

const UNSAID: SelinuxOption = { user: '', role: '', type: '', level: '' };

/**
 * The labels of a container: what the container's options leave out comes from the pod's, and what those leave out
 * from the machine's policy. The level is the pod's own, so that its containers may share files and no other pod may
 * read them. A privileged container's processes have no label. Throws `invalid_argument` for what is no part of one.
 */
export function selinuxLabels(wish: LabelWish, contexts: SelinuxContexts): SelinuxLabels {
  const pod = wish.pod ?? UNSAID;
  const own = wish.container ?? UNSAID;
  for (const options of [pod, own]) refuseMalformed(options);

  const [user = '', role = '', type = ''] = contexts.process.split(':');
  const [fileUser = '', fileRole = '', fileType = ''] = contexts.file.split(':');
  const level = own.level || podLevel(wish.podId, pod, contexts);
  const wanted = (part: 'user' | 'role' | 'type', policy: string) => own[part] || pod[part] || policy;
  const process = [wanted('user', user), wanted('role', role), wanted('type', type), level];
  const mount = [wanted('user', fileUser), fileRole, fileType, level];
  return { process: wish.privileged ? '' : process.join(':'), mount: mount.join(':') };
}

/**
 * The level of a pod: the one it asks for, or the policy's sensitivity with two categories that follow from its
 * random id, and so need not be written down.
 */
export function podLevel(podId: string, options: SelinuxOption | null, { process }: SelinuxContexts): string {
  if (options?.level) return options.level;
  // 52 bits of the id are enough for both, and are still a whole number.
  const number = Number.parseInt(podId.slice(0, 13), 16);
  const first = number % CATEGORIES;
  const other = Math.floor(number / CATEGORIES) % (CATEGORIES - 1);
  const second = other < first ? other : other + 1;
  const sensitivity = /^s\d+/.exec(process.split(':')[3] ?? '')?.[0] ?? 's0';
  return `${sensitivity}:c${Math.min(first, second)},c${Math.max(first, second)}`;
}

/** Whether the options ask for anything. */
export function asksForLabels(options: SelinuxOption | null | undefined): boolean {
  return options !== null && options !== undefined && Object.values(options).some((part) => part !== '');
}

export function withSelinux(labels: SelinuxLabels | null): SpecOption {
  return ({ process, linux }) => {
    if (!labels) return;
    if (labels.process !== '') process.selinuxLabel = labels.process;
    linux.mountLabel = labels.mount;
  };
}

function refuseMalformed({ level, ...names }: SelinuxOption): void {
  for (const [part, value] of Object.entries(names)) {
    if (value !== '' && !NAME.test(value)) {
      throw new Fault('invalid_argument', `selinux_options: ${part} "${value}" is no name`);
    }
  }
  if (level !== '' && !LEVEL.test(level)) {
    throw new Fault('invalid_argument', `selinux_options: level "${level}" is not of the form s0:c1,c2`);
  }
}

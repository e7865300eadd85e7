import type { Logger } from 'pino';
import type { Config } from '../config/schema.ts';
import { noteFile } from '../store/root-owner.ts';
import type { PreflightFacts, PreflightNeeds } from './preflight-facts.ts';
import { gatherFacts } from './preflight-facts.ts';

/** Something amiss at start. An error keeps the daemon from starting, a warning does not. */
export interface Finding {
  level: 'error' | 'warn';
  /** What is amiss, on one line. */
  what: string;
  /** What to do about it, on one line. */
  mend: string;
}

/** Containerd's own CRI plugin keeps to this namespace, whatever its configuration. */
const CRI_NAMESPACE = 'k8s.io';
const OLDEST = { major: 1, minor: 6 };

/** Looks at what cristal needs and says what is amiss. Changes nothing. */
export async function preflight(needs: PreflightNeeds): Promise<Finding[]> {
  return judge(await gatherFacts(needs), needs.config);
}

/** Logs every finding; false when one of them forbids to start. */
export function mayStart(findings: readonly Finding[], log: Logger): boolean {
  for (const { level, what, mend } of findings) log[level](`${what}; to mend it, ${mend}`);
  return findings.every(({ level }) => level !== 'error');
}

export function judge(facts: PreflightFacts, config: Config): Finding[] {
  return [...judgeMachine(facts, config), ...judgeNetwork(facts.network, config).map(onOneLine)];
}

/** All but the pod network, which has a word of its own in the CRI's Status. */
export function judgeMachine(facts: PreflightFacts, config: Config): Finding[] {
  const findings = [
    ...judgeHost(facts),
    ...facts.missingGuards.map(judgeGuard),
    ...judgeCgroups(facts, config),
    ...judgeContainerd(facts.containerd, config),
    ...judgeBinaries(facts.binaries),
  ];
  return findings.map(onOneLine);
}

function judgeGuard(missing: PreflightFacts['missingGuards'][number]): Finding {
  if (missing === 'seccomp') {
    return {
      level: 'warn',
      what: 'this kernel has no filters of system calls: pods that ask for a seccomp profile are refused',
      mend: 'take a kernel with CONFIG_SECCOMP_FILTER',
    };
  }
  return {
    level: 'warn',
    what: 'AppArmor is on, but apparmor_parser is not at /sbin: containers run without a profile',
    mend: 'install the package apparmor and restart cristal',
  };
}

function judgeHost({ uid, cgroupMounted, lowestOomScoreAdj }: PreflightFacts): Finding[] {
  const findings: Finding[] = [];
  if (uid !== 0) {
    findings.push({
      level: 'error',
      what: `cristal runs as uid ${uid}, but mounts and namespaces need root`,
      mend: 'run it as root, by sudo or the systemd unit deploy/cristal.service',
    });
  }
  if (!cgroupMounted) {
    findings.push({
      level: 'error',
      what: 'no cgroup filesystem is mounted',
      mend: 'mount -t cgroup2 none /sys/fs/cgroup, or give this container the /sys/fs/cgroup of the host',
    });
  }
  if (lowestOomScoreAdj !== null) {
    findings.push({
      level: 'warn',
      what: `cristal has no CAP_SYS_RESOURCE, so no container gets an oom_score_adj below ${lowestOomScoreAdj}`,
      mend: 'give cristal CAP_SYS_RESOURCE, which root has unless a container or a unit takes it away',
    });
  }
  return findings;
}

function judgeCgroups({ systemd }: PreflightFacts, config: Config): Finding[] {
  const { cgroupDriver, runtimes, defaultRuntime } = config;
  const findings: Finding[] = [];
  if (cgroupDriver === 'systemd' && !systemd) {
    findings.push({
      level: 'warn',
      what: 'cgroup_driver is "systemd", and systemd does not run this machine',
      mend: 'set cgroup_driver = "cgroupfs", or "auto", and the same for the kubelet',
    });
  }
  const ofAll = cgroupDriver === 'auto' ? systemd : cgroupDriver === 'systemd';
  const usesSystemd = (handler: string) => runtimes[handler]?.systemdCgroup ?? ofAll;
  for (const handler of Object.keys(runtimes)) {
    if (usesSystemd(handler) === usesSystemd(defaultRuntime)) continue;
    findings.push({
      level: 'warn',
      what: `runtime handler ${handler} has another cgroup driver than ${defaultRuntime}, whose driver the kubelet is told`,
      mend: `take systemd_cgroup out of [runtimes.${handler}]`,
    });
  }
  return findings;
}

function judgeContainerd(facts: PreflightFacts['containerd'], { containerd, root }: Config): Finding[] {
  if ('error' in facts) {
    return [
      {
        level: 'error',
        what: `containerd does not answer at ${containerd.address}: ${facts.error}`,
        mend: 'start containerd, or set address in [containerd] to its socket',
      },
    ];
  }
  return [
    ...judgeVersion(facts.version),
    ...judgeRecords(facts.elsewhere, root),
    ...judgeBuiltInCri(facts.builtInCri, containerd.namespace),
    ...judgeSnapshotter(facts.snapshotters, containerd.snapshotter),
  ];
}

// Recovery would take every pod for half-made, and roll it back.
function judgeRecords(elsewhere: string | null, root: string): Finding[] {
  if (elsewhere === null) return [];
  return [
    {
      level: 'error',
      what: `${elsewhere}, where every pod would look half-made`,
      mend: `put address and namespace in [containerd] back, or, if those pods are gone for good, remove ${noteFile(root)}`,
    },
  ];
}

function judgeVersion(version: string): Finding[] {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) {
    return [
      {
        level: 'warn',
        what: `containerd calls its version "${version}", which does not say how old it is`,
        mend: `make sure that it is ${OLDEST.major}.${OLDEST.minor} or later`,
      },
    ];
  }
  const isOld =
    Number(major) < OLDEST.major || (Number(major) === OLDEST.major && Number(minor) < OLDEST.minor);
  if (!isOld) return [];
  return [
    {
      level: 'error',
      what: `containerd is ${version}, older than ${OLDEST.major}.${OLDEST.minor}`,
      mend: `install containerd ${OLDEST.major}.${OLDEST.minor} or later`,
    },
  ];
}

// The same words for every containerd: in 2.x the cri.v1 plugins may go on running, they only keep settings
// and answer nobody (seen with 2.3.7, config versions 2 and 3).
function judgeBuiltInCri(runs: boolean, namespace: string): Finding[] {
  if (!runs || namespace !== CRI_NAMESPACE) return [];
  return [
    {
      level: 'warn',
      what: `the CRI plugin of this containerd is on and works in the same namespace ${CRI_NAMESPACE}`,
      mend: 'put disabled_plugins = ["io.containerd.grpc.v1.cri"] before the first table of containerd\'s config.toml and restart containerd, or choose another namespace in [containerd]',
    },
  ];
}

function judgeSnapshotter(running: string[], wanted: string): Finding[] {
  if (running.includes(wanted)) return [];
  return [
    {
      level: 'error',
      what: `containerd has no working snapshotter "${wanted}"`,
      mend: `set snapshotter in [containerd] to one of: ${running.join(', ') || '(none works)'}`,
    },
  ];
}

function judgeNetwork({ ready, message }: PreflightFacts['network'], { cni }: Config): Finding[] {
  if (ready) return [];
  return [
    {
      level: 'warn',
      what: `no pod network: ${message}`,
      mend: `install a network add-on, which writes to ${cni.confDir}; cristal sees it come, no restart needed`,
    },
  ];
}

// Only a warning: the shim looks in containerd's PATH and mount namespace, which need not be ours.
function judgeBinaries(binaries: PreflightFacts['binaries']): Finding[] {
  return binaries
    .filter(({ path }) => path === null)
    .map(({ handler, wanted }) => ({
      level: 'warn',
      what: `runtime handler ${handler}: ${wanted} is not here, as far as cristal can see`,
      mend: `install it where containerd finds it, or set binary in [runtimes.${handler}]`,
    }));
}

function onOneLine({ level, what, mend }: Finding): Finding {
  return { level, what: what.replaceAll(/\s*\n\s*/g, '; ').trim(), mend };
}

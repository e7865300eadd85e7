import type { Fields } from './fields.ts';
import {
  absolutePath,
  autoSocketPath,
  flag,
  integer,
  ipAddress,
  localAddress,
  oneOf,
  optionalFlag,
  optionalPath,
  optionalUrl,
  pathList,
  socketPath,
  table,
  text,
  textList,
} from './fields.ts';
import type {
  CniConfig,
  Config,
  ContainerdConfig,
  ImagesConfig,
  MetricsConfig,
  RuntimeHandler,
  StreamingConfig,
  TracingConfig,
} from './schema.ts';

type TopLevel = Omit<
  Config,
  'containerd' | 'cni' | 'images' | 'streaming' | 'tracing' | 'metrics' | 'runtimes'
>;

import { ulimitList } from './ulimits.ts';

/** A RuntimeClass names its handler by an RFC 1123 label. */
export const HANDLER_NAME = {
  expects: 'a runtime handler name (lower-case letters, digits and inner dashes, at most 63)',
  pattern: /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
};

/** What containerd takes as a namespace. */
const IDENTIFIER = {
  expects: 'a name of letters and digits with single inner dots, dashes or underscores, at most 76 long',
  pattern: /^(?=.{1,76}$)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/,
};

const SECCOMP_PROFILE = {
  expects: '"unconfined", "runtime/default" or "localhost/" with an absolute path',
  pattern: /^(unconfined|runtime\/default|localhost\/\/.+)$/,
};
const NON_EMPTY = { expects: 'a string that is not empty', pattern: /\S/ };
const REFERENCE_PATTERN = {
  expects: 'a list of references, each with a * at most at its end',
  pattern: /^[^\s*]+\*?$/,
};
const ANNOTATION_PATTERN = {
  expects: 'a list of annotation keys, in which * and ? stand for others',
  pattern: /^\S+$/,
};
const MAYBE_EMPTY = { expects: 'a string', pattern: /^/ };

/** The keys before the first table. */
export const topFields: Fields<TopLevel> = {
  listen: socketPath('The unix socket that serves the CRI to the kubelet and crictl.'),
  root: absolutePath('Directory for what outlives a reboot: container status and the CNI cache.'),
  state: absolutePath(
    'Directory for what a reboot may take: pinned namespaces, FIFOs, sandbox files. Best on a tmpfs.',
  ),
  logLevel: oneOf('The least severe level that is logged.', ['trace', 'debug', 'info', 'warn', 'error']),
  cgroupDriver: oneOf(
    'Who makes the cgroups of containers; must be what the kubelet uses. "auto" is systemd where systemd runs the machine, else cgroupfs.',
    ['auto', 'cgroupfs', 'systemd'],
  ),
  maxLogLineBytes: integer(
    'A longer line of container output is logged as several partial lines, each of this many bytes.',
    128,
    1_048_576,
  ),
  execDrainMs: integer(
    'How many milliseconds the output of an exec may stay open once its process has exited.',
    0,
    600_000,
  ),
  defaultUlimits: ulimitList(
    'Resource limits of the processes of containers (getrlimit(2)), one value for both or SOFT:HARD. A limit that is not listed is that of containerd; one in the base spec of a runtime handler comes first.',
  ),
  tolerateMissingHugetlb: flag(
    'Whether a limit for huge pages that this machine cannot limit (no such size, no hugetlb controller) is left out. Off: such a container is refused.',
  ),
  enableUnprivilegedPorts: flag(
    'Whether programs may listen on ports below 1024 without CAP_NET_BIND_SERVICE in pods with a network of their own (sysctl net.ipv4.ip_unprivileged_port_start).',
  ),
  enableUnprivilegedIcmp: flag(
    'Whether programs may send pings without CAP_NET_RAW in such pods (sysctl net.ipv4.ping_group_range).',
  ),
  cdiSpecDirs: textList(
    'Directories of CDI device files, .json or .yaml; of two files with the same device that of the later directory counts. Empty: no CDI devices.',
    { expects: 'a list of absolute paths', pattern: /^\// },
  ),
  deviceOwnershipFromSecurityContext: flag(
    'Whether the device nodes that a container asks for belong to its runAsUser and runAsGroup, and not to who owns them on the host.',
  ),
  selinux: oneOf(
    'Whether containers get SELinux labels. "auto": where the kernel has SELinux, and a container that asks for labels where it has not is refused. "off": never, and what asks for labels is ignored.',
    ['auto', 'off'],
  ),
  unsetSeccompProfile: text(
    'The seccomp profile of containers that name none, which the CRI means to be unconfined. The kubelet names one for each container.',
    SECCOMP_PROFILE,
  ),
  defaultRuntime: text('The runtime handler of pods that name none. One of [runtimes.NAME].', HANDLER_NAME),
};

export const containerdFields: Fields<ContainerdConfig> = {
  address: socketPath('The unix socket of containerd.'),
  namespace: text('The containerd namespace of all that cristal makes.', IDENTIFIER),
  snapshotter: text('The containerd snapshotter for images and containers.', NON_EMPTY),
};

export const cniFields: Fields<CniConfig> = {
  confDir: absolutePath(
    'Directory of the CNI network configurations; the first one by file name is used. It may come into being later.',
  ),
  binDirs: pathList('Directories of the CNI plugins, searched in order.'),
  timeoutMs: integer('How many milliseconds one CNI operation may take.', 1_000, 3_600_000),
  confTemplate: optionalPath(
    'Template of a network, as for conf_template of containerd ({{.PodCIDR}}, {{.PodCIDRRanges}}, {{.Routes}}). When the kubelet tells the pod CIDR it is written to conf_dir, unless another file there holds a network. Empty: none.',
  ),
};

export const imagesFields: Fields<ImagesConfig> = {
  certsDir: absolutePath(
    'Directory of registry mirrors and certificates, one HOST/hosts.toml each, as containerd has them.',
  ),
  maxConcurrentDownloads: integer('How many layers of one image are fetched at a time.', 1, 64),
  maxDownloads: integer('How many layers of all images together are fetched at a time.', 1, 1_000),
  stallTimeoutMs: integer(
    'A pull that received nothing for this many milliseconds, while it was fetching, is given up.',
    1_000,
    86_400_000,
  ),
  minRate: integer(
    'A pull that received fewer bytes a second than this over stall_timeout_ms is given up too. 0: any byte is enough.',
    0,
    1_000_000_000,
  ),
  authFile: optionalPath(
    "File with registry credentials, as Docker's config.json has them under auths, for pulls that bring none. Hosts may be patterns as in image pull secrets. Read at each pull. Empty: none.",
  ),
  mirrorCredentials: flag(
    'Show the credentials that come with a pull, which are for the registry that the image names, to its mirrors too if they ask.',
  ),
  pinned: textList(
    'Images that the kubelet must not collect, by reference; a * at the end stands for any rest. One that is taken off the list is unpinned at the next start.',
    REFERENCE_PATTERN,
  ),
  verifierDir: optionalPath(
    'Directory of programs that judge each image before it is fetched, called as those of the bindir verifier of containerd. Empty: none.',
  ),
  verifierTimeoutMs: integer(
    'How many milliseconds one verifier may take; one that takes longer refuses the image.',
    10,
    3_600_000,
  ),
  maxVerifiers: integer(
    'With more programs in verifier_dir than this every pull is refused, since none of them may be skipped.',
    1,
    1_000,
  ),
};

export const streamingFields: Fields<StreamingConfig> = {
  address: ipAddress(
    'Where sessions are served. The kubelet connects to it, so loopback is enough; a URL is a one-time secret that runs commands.',
  ),
  port: integer('The TCP port; 0 takes a free one.', 0, 65_535),
  idleTimeoutMs: integer(
    'A session in which nothing moved for this many milliseconds is ended.',
    1_000,
    604_800_000,
  ),
  tls: oneOf(
    'Whether sessions are encrypted: not at all, with a certificate that is generated at every start and that nobody can verify, or with those of the files below.',
    ['off', 'generated', 'files'],
  ),
  tlsCertFile: optionalPath('PEM file of the certificate, with its chain, for tls = "files".'),
  tlsKeyFile: optionalPath('PEM file of its private key.'),
  clientCaFile: optionalPath(
    'PEM file of authorities; then only clients with a certificate of one of them are served. Needs TLS.',
  ),
};

export const tracingFields: Fields<TracingConfig> = {
  latest: integer(
    'How many calls that have ended are kept in memory with all of their stages, and as many again of those that only read.',
    1,
    100_000,
  ),
  slowest: integer('How many of the slowest calls of each kind are kept besides.', 0, 1_000),
  endpoint: optionalUrl(
    'An OpenTelemetry collector that takes traces by OTLP/HTTP; /v1/traces is added where there is no path. Empty: none.',
  ),
  samplingRatePerMillion: integer(
    'How many of a million calls are exported when the kubelet says nothing of it. Where it does, its choice is kept.',
    0,
    1_000_000,
  ),
  debugSocket: autoSocketPath(
    'The unix socket, for root alone, that `cristal trace` asks. "auto" is debug.sock in the state directory.',
  ),
};

export const metricsFields: Fields<MetricsConfig> = {
  address: localAddress(
    'Where Prometheus can read, at /metrics, what was counted. A socket is for root alone.',
  ),
};

export const runtimeFields: Fields<RuntimeHandler> = {
  type: text('Name of the shim, as containerd has it.', NON_EMPTY),
  binary: optionalPath('Path of the OCI runtime. Empty: runc, found by the shim in its PATH.'),
  root: optionalPath('State directory of the OCI runtime. Empty: the default of the shim.'),
  systemdCgroup: optionalFlag('Whether the runtime asks systemd for cgroups. Unset: as cgroup_driver says.'),
  snapshotter: text('Snapshotter for this runtime. Empty: that of [containerd].', MAYBE_EMPTY),
  sandbox: oneOf(
    'How the namespaces of a pod are held: "pinned" by bind mounts, without a process, or by a "pause" container, which VM runtimes need.',
    ['pinned', 'pause'],
  ),
  privilegedWithoutHostDevices: flag('Whether a privileged container goes without the devices of the host.'),
  privilegedAllDevicesAllowed: flag(
    'Whether such a container may still open every device, of which it has to make the nodes itself.',
  ),
  cgroupWritable: flag(
    'Whether containers may make cgroups below their own, which others than privileged ones may not. Needs cgroup v2.',
  ),
  baseRuntimeSpec: optionalPath(
    'A JSON file with the OCI spec that every container of this handler starts from, such as one made by `ctr oci spec`. Read for each container. Empty: none.',
  ),
  cniConfDir: optionalPath(
    'Directory of the CNI configuration for pods of this handler; the first one by file name is used. Empty: that of [cni].',
  ),
  podAnnotations: textList(
    'Annotations of pods that the runtime is told with the pod and with each of its containers; * stands for any letters but /, ? for one.',
    ANNOTATION_PATTERN,
  ),
  containerAnnotations: textList('Annotations of containers that the runtime is told.', ANNOTATION_PATTERN),
  options: table(
    "Options of the shim under containerd's names for them. The shims of runc take NoPivotRoot, NoNewKeyring, ShimCgroup, IoUid, IoGid, CriuImagePath and CriuWorkPath; any other shim gets ConfigPath and TypeUrl, and without a ConfigPath the whole table as TOML.",
  ),
};

/** The named tables, in the order in which they are shown. */
export const tables = {
  containerd: containerdFields,
  cni: cniFields,
  images: imagesFields,
  streaming: streamingFields,
  tracing: tracingFields,
  metrics: metricsFields,
} as const;

/** One line about each table, for the printed default file and the reference. */
export const tableDocs: Record<keyof typeof tables | 'runtimes', string> = {
  containerd: 'The containerd that does the work.',
  cni: 'Pod networks.',
  images: 'Pulling images.',
  streaming: 'The server of exec, attach and port-forward sessions.',
  metrics: 'Counters and times for Prometheus.',
  tracing: 'Where the time of every call goes, and who may see it.',
  runtimes:
    'One table per runtime handler, by the name that a RuntimeClass gives it. "runc" is always there; a table of that name changes it.',
};

export function toSnake(camel: string): string {
  return camel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

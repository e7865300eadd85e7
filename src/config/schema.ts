import type { Ulimit } from './ulimits.ts';

/** Everything an operator may set. TOML spells the keys in snake_case; `settings.ts` describes each. */
export interface Config {
  /** Path of the unix socket that serves CRI. */
  listen: string;
  /** Directory for what outlives a reboot. */
  root: string;
  /** Directory for what a reboot may take: pinned namespaces, FIFOs, sandbox files. */
  state: string;
  logLevel: LogLevel;
  containerd: ContainerdConfig;
  cni: CniConfig;
  images: ImagesConfig;
  streaming: StreamingConfig;
  tracing: TracingConfig;
  metrics: MetricsConfig;
  cgroupDriver: CgroupDriver;
  /** Longer lines of output are split into partial ones, in bytes. */
  maxLogLineBytes: number;
  /** How long exec output may stay open after the process exited, in milliseconds. */
  execDrainMs: number;
  /** Limits of processes where a base spec has none. */
  defaultUlimits: Ulimit[];
  /** Whether limits of huge pages that this machine cannot limit are left out, and not refused. */
  tolerateMissingHugetlb: boolean;
  /** Whether a pod with a network of its own may use ports below 1024 without a capability. */
  enableUnprivilegedPorts: boolean;
  /** Whether everybody in it may send pings. */
  enableUnprivilegedIcmp: boolean;
  /** Directories of CDI device files; later ones win. */
  cdiSpecDirs: string[];
  /** Whether the devices of a container belong to the user that it runs as. */
  deviceOwnershipFromSecurityContext: boolean;
  /** Whether containers get SELinux labels where the kernel has them; else what asks for labels is ignored. */
  selinux: 'auto' | 'off';
  /** What a container without a seccomp profile gets: `unconfined`, `runtime/default` or `localhost/PATH`. */
  unsetSeccompProfile: string;
  /** The runtime handler for pods that name none. */
  defaultRuntime: string;
  runtimes: Record<string, RuntimeHandler>;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
export type CgroupDriver = 'auto' | 'cgroupfs' | 'systemd';

export interface ContainerdConfig {
  address: string;
  namespace: string;
  snapshotter: string;
}

export interface CniConfig {
  confDir: string;
  binDirs: string[];
  timeoutMs: number;
  /** Path of a template that UpdateRuntimeConfig makes the network from; empty for none. */
  confTemplate: string;
}

export interface ImagesConfig {
  certsDir: string;
  /** Of one image. */
  maxConcurrentDownloads: number;
  /** Of all images. */
  maxDownloads: number;
  stallTimeoutMs: number;
  /** What a pull must receive over `stallTimeoutMs`, in bytes a second; 0 is content with any byte. */
  minRate: number;
  /** Path of a Docker config.json whose credentials serve pulls that bring none; empty for none. */
  authFile: string;
  /** Mirrors may see the credentials that come with a pull. */
  mirrorCredentials: boolean;
  /** References of images that the kubelet must not collect; a `*` at the end stands for any rest. */
  pinned: string[];
  /** Directory of programs that judge each image before it is fetched; empty asks none. */
  verifierDir: string;
  /** How long one of them may take, in milliseconds. */
  verifierTimeoutMs: number;
  /** With more programs than this in the directory every pull is refused. */
  maxVerifiers: number;
}

/** Where exec, attach and port-forward sessions are served. */
export interface StreamingConfig {
  /** An IP address. */
  address: string;
  /** 0 takes a free one. */
  port: number;
  /** A session in which nothing moved for so long is ended, in milliseconds. */
  idleTimeoutMs: number;
  tls: 'off' | 'generated' | 'files';
  /** Paths of PEM files; empty unless `tls` is "files". */
  tlsCertFile: string;
  tlsKeyFile: string;
  /** Path of a PEM file with the authorities of client certificates; empty asks clients for none. */
  clientCaFile: string;
}

/** Where the time of calls goes. */
export interface TracingConfig {
  /** How many calls that have ended are kept, and as many again of those that only read. */
  latest: number;
  /** How many of the slowest calls of each RPC are kept besides. */
  slowest: number;
  /** URL of an OpenTelemetry collector; empty exports nothing. */
  endpoint: string;
  /** Of a million traces that no client began, how many are exported. */
  samplingRatePerMillion: number;
  /** The socket of `cristal trace`: a path, empty for none, or "auto" for debug.sock in `state`. */
  debugSocket: string;
}

export interface MetricsConfig {
  /** A path of a unix socket, or `IP:PORT`; empty for none. */
  address: string;
}

export interface RuntimeHandler {
  /** containerd's name of the shim, such as io.containerd.runc.v2. */
  type: string;
  /** Path of the OCI runtime; empty means runc from PATH. */
  binary: string;
  /** The OCI runtime's own state directory; empty means the shim's default. */
  root: string;
  /** Null follows `cgroupDriver`. */
  systemdCgroup: boolean | null;
  /** Empty means `containerd.snapshotter`. */
  snapshotter: string;
  /** How a pod's namespaces are held: bind mounts, or a pause container. */
  sandbox: 'pinned' | 'pause';
  privilegedWithoutHostDevices: boolean;
  /** With the former: whether it may open device nodes that it makes itself. */
  privilegedAllDevicesAllowed: boolean;
  /** Whether containers may write below their own cgroup; needs cgroup v2. */
  cgroupWritable: boolean;
  /** Path of an OCI spec that containers start from; empty for none. */
  baseRuntimeSpec: string;
  /** Where the CNI configuration of its pods is; empty means `cni.confDir`. */
  cniConfDir: string;
  /** Patterns of the annotations that the runtime is told. */
  podAnnotations: string[];
  containerAnnotations: string[];
  /** Options of the shim, by the names that containerd's own configuration has for them. */
  options: Record<string, unknown>;
}

export function defaultRuntimeHandler(): RuntimeHandler {
  return {
    type: 'io.containerd.runc.v2',
    binary: '',
    root: '',
    systemdCgroup: null,
    snapshotter: '',
    sandbox: 'pinned',
    privilegedWithoutHostDevices: false,
    privilegedAllDevicesAllowed: false,
    cgroupWritable: false,
    baseRuntimeSpec: '',
    cniConfDir: '',
    podAnnotations: [],
    containerAnnotations: [],
    options: {},
  };
}

/** A fresh value each time, so that a caller may change its copy. */
export function defaultConfig(): Config {
  return {
    listen: '/run/cristal/cristal.sock',
    root: '/var/lib/cristal',
    state: '/run/cristal',
    logLevel: 'info',
    containerd: {
      address: '/run/containerd/containerd.sock',
      namespace: 'k8s.io',
      snapshotter: 'overlayfs',
    },
    cni: { confDir: '/etc/cni/net.d', binDirs: ['/opt/cni/bin'], timeoutMs: 60_000, confTemplate: '' },
    images: {
      certsDir: '/etc/containerd/certs.d',
      maxConcurrentDownloads: 3,
      maxDownloads: 12,
      stallTimeoutMs: 300_000,
      minRate: 0,
      authFile: '',
      mirrorCredentials: false,
      pinned: [],
      verifierDir: '',
      verifierTimeoutMs: 10_000,
      maxVerifiers: 10,
    },
    streaming: {
      address: '127.0.0.1',
      port: 0,
      idleTimeoutMs: 14_400_000,
      tls: 'off',
      tlsCertFile: '',
      tlsKeyFile: '',
      clientCaFile: '',
    },
    tracing: {
      latest: 256,
      slowest: 5,
      endpoint: '',
      samplingRatePerMillion: 1_000_000,
      debugSocket: 'auto',
    },
    metrics: { address: '' },
    cgroupDriver: 'auto',
    maxLogLineBytes: 16_384,
    execDrainMs: 2_000,
    defaultUlimits: [],
    tolerateMissingHugetlb: true,
    enableUnprivilegedPorts: true,
    enableUnprivilegedIcmp: true,
    cdiSpecDirs: ['/etc/cdi', '/var/run/cdi'],
    deviceOwnershipFromSecurityContext: false,
    selinux: 'auto',
    unsetSeccompProfile: 'unconfined',
    defaultRuntime: 'runc',
    runtimes: { runc: defaultRuntimeHandler() },
  };
}

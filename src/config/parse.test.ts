import { expect, it, test } from 'vitest';
import { parseConfig } from './parse.ts';
import { renderDefaultFile } from './render.ts';
import type { Config } from './schema.ts';
import { defaultConfig, defaultRuntimeHandler } from './schema.ts';

function problemsOf(text: string): string[] {
  return (parseConfig(text).problems ?? []).map(
    ({ line, column, message }) => `${line}:${column}: ${message}`,
  );
}

function configOf(text: string): Config {
  const { config, problems } = parseConfig(text);
  expect(problems).toEqual([]);
  if (config === null) throw new Error('unreachable');
  return config;
}

test('an empty file means the defaults', () => {
  expect(configOf('')).toEqual(defaultConfig());
});

test('the printed default file parses to the defaults', () => {
  expect(configOf(renderDefaultFile())).toEqual(defaultConfig());
});

test('uncommenting what is unset by default is valid too', () => {
  const text = renderDefaultFile().replace('# systemd_cgroup = true', 'systemd_cgroup = true');
  expect(configOf(text).runtimes['runc']?.systemdCgroup).toBe(true);
});

test('every key can be set', () => {
  const text = `
listen = "unix:///tmp/c.sock"
root = "/r"
state = "/s"
log_level = "trace"
cgroup_driver = "systemd"
max_log_line_bytes = 4_096
exec_drain_ms = 0
default_ulimits = ["nofile=1024:4096", "core=0", "MEMLOCK=unlimited"]
tolerate_missing_hugetlb = false
enable_unprivileged_ports = false
enable_unprivileged_icmp = false
cdi_spec_dirs = ["/run/cdi"]
device_ownership_from_security_context = true
selinux = "off"
unset_seccomp_profile = "localhost//etc/seccomp.json"
default_runtime = "kata"
[containerd]
address = "/c.sock"
namespace = "moby"
snapshotter = "native"
[cni]
conf_dir = "/conf"
bin_dirs = ["/b1", "/b2"]
timeout_ms = 1000
conf_template = "/template"
[images]
certs_dir = "/certs"
max_concurrent_downloads = 64
max_downloads = 100
stall_timeout_ms = 1000
min_rate = 1024
auth_file = "/auth.json"
mirror_credentials = true
pinned = ["registry.k8s.io/pause:*"]
verifier_dir = "/verify"
verifier_timeout_ms = 10
max_verifiers = 1
[streaming]
address = "::1"
port = 10010
idle_timeout_ms = 60_000
tls = "files"
tls_cert_file = "/tls/cert.pem"
tls_key_file = "/tls/key.pem"
client_ca_file = "/tls/ca.pem"
[tracing]
latest = 10
slowest = 0
endpoint = "http://[::1]:4318"
sampling_rate_per_million = 10
debug_socket = "unix:///d.sock"
[metrics]
address = "[::1]:9090"
[runtimes.kata]
type = "io.containerd.kata.v2"
systemd_cgroup = false
snapshotter = "devmapper"
sandbox = "pause"
privileged_without_host_devices = true
privileged_all_devices_allowed = true
cgroup_writable = true
base_runtime_spec = "/etc/base.json"
cni_conf_dir = "/etc/cni/kata"
pod_annotations = ["io.katacontainers.*"]
container_annotations = ["vendor.com/?"]
[runtimes.kata.options]
ConfigPath = "/etc/kata.toml"
[runtimes.kata.options.Extra]
Level = 3
`;
  expect(configOf(text)).toEqual({
    listen: '/tmp/c.sock',
    root: '/r',
    state: '/s',
    logLevel: 'trace',
    containerd: { address: '/c.sock', namespace: 'moby', snapshotter: 'native' },
    cni: { confDir: '/conf', binDirs: ['/b1', '/b2'], timeoutMs: 1000, confTemplate: '/template' },
    images: {
      certsDir: '/certs',
      maxConcurrentDownloads: 64,
      maxDownloads: 100,
      stallTimeoutMs: 1000,
      minRate: 1024,
      authFile: '/auth.json',
      mirrorCredentials: true,
      pinned: ['registry.k8s.io/pause:*'],
      verifierDir: '/verify',
      verifierTimeoutMs: 10,
      maxVerifiers: 1,
    },
    streaming: {
      address: '::1',
      port: 10_010,
      idleTimeoutMs: 60_000,
      tls: 'files',
      tlsCertFile: '/tls/cert.pem',
      tlsKeyFile: '/tls/key.pem',
      clientCaFile: '/tls/ca.pem',
    },
    tracing: {
      latest: 10,
      slowest: 0,
      endpoint: 'http://[::1]:4318',
      samplingRatePerMillion: 10,
      debugSocket: '/d.sock',
    },
    metrics: { address: '[::1]:9090' },
    cgroupDriver: 'systemd',
    maxLogLineBytes: 4096,
    execDrainMs: 0,
    defaultUlimits: [
      { type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      { type: 'RLIMIT_MEMLOCK', soft: 2 ** 64, hard: 2 ** 64 },
    ],
    tolerateMissingHugetlb: false,
    enableUnprivilegedPorts: false,
    enableUnprivilegedIcmp: false,
    cdiSpecDirs: ['/run/cdi'],
    deviceOwnershipFromSecurityContext: true,
    selinux: 'off',
    unsetSeccompProfile: 'localhost//etc/seccomp.json',
    defaultRuntime: 'kata',
    runtimes: {
      runc: defaultRuntimeHandler(),
      kata: {
        type: 'io.containerd.kata.v2',
        binary: '',
        root: '',
        systemdCgroup: false,
        snapshotter: 'devmapper',
        sandbox: 'pause',
        privilegedWithoutHostDevices: true,
        privilegedAllDevicesAllowed: true,
        cgroupWritable: true,
        baseRuntimeSpec: '/etc/base.json',
        cniConfDir: '/etc/cni/kata',
        podAnnotations: ['io.katacontainers.*'],
        containerAnnotations: ['vendor.com/?'],
        options: { ConfigPath: '/etc/kata.toml', Extra: { Level: 3 } },
      },
    },
  } satisfies Config);
});

test('a table for runc changes only what it names', () => {
  expect(configOf('[runtimes.runc]\nbinary = "/opt/runc"').runtimes).toEqual({
    runc: { ...defaultRuntimeHandler(), binary: '/opt/runc' },
  });
});

const LONG_SOCKET = `/${'s'.repeat(107)}`;

it.each([
  [
    'listen = 3',
    '1:1: listen: expected an absolute path of a unix socket, at most 107 bytes, found the number 3',
  ],
  ['listen = "run/c.sock"', 'found the string "run/c.sock"'],
  [`listen = "${LONG_SOCKET}"`, 'at most 107 bytes'],
  ['root = ""', 'root: expected an absolute path, found the string ""'],
  [
    'log_level = "verbose"',
    'expected one of "trace", "debug", "info", "warn", "error", found the string "verbose"',
  ],
  ['log_level = true', 'found true'],
  ['unset_seccomp_profile = "strict"', 'expected "unconfined", "runtime/default" or "localhost/"'],
  ['exec_drain_ms = -1', 'expected a whole number from 0 to 600000, found the number -1'],
  ['exec_drain_ms = 600001', 'found the number 600001'],
  ['exec_drain_ms = 1.0', 'found the floating-point number 1'],
  ['exec_drain_ms = "2s"', 'found the string "2s"'],
  ['max_log_line_bytes = 127', 'from 128 to 1048576, found the number 127'],
  ['cni.bin_dirs = []', 'expected a list of one or more absolute paths, found an empty list'],
  [
    'cni.bin_dirs = ["/a", "b"]',
    '1:5: cni.bin_dirs: expected a list of one or more absolute paths, found a list',
  ],
  ['cni.bin_dirs = "/a"', 'found the string "/a"'],
  ['cni = 3', '1:1: cni: expected a table, found the number 3'],
  ['[[containerd]]\naddress = "/a"', '1:3: containerd: expected a table, found a list'],
  ['containerd.namespace = "a/b"', 'single inner dots'],
  ['containerd.snapshotter = 2024-01-01', 'found a date'],
  ['containerd.address = {}', 'found a table'],
  ['streaming.address = "localhost"', 'expected an IPv4 or IPv6 address, found the string "localhost"'],
  ['default_ulimits = ["nofile=2:1"]', 'expected a list of limits such as "nofile=1024:4096"'],
  ['default_ulimits = ["files=1"]', 'expected a list of limits'],
  ['default_ulimits = ["nofile"]', 'expected a list of limits'],
  ['cdi_spec_dirs = ["cdi"]', 'expected a list of absolute paths'],
  ['runtimes.runc.pod_annotations = ["a b"]', 'expected a list of annotation keys'],
  ['runtimes.runc.options = 1', 'runtimes.runc.options: expected a table'],
  [
    'runtimes.runc.options.SystemdCgroup = true',
    'unknown key runtimes.runc.options.SystemdCgroup; known here: NoPivotRoot',
  ],
  [
    'runtimes.runc.options.IoUid = "0"',
    'runtimes.runc.options.IoUid: expected a number, found the string "0"',
  ],
  [
    'runtimes.kata.type = "io.kata.v2"\nruntimes.kata.options.ConfigPath = 1',
    'ConfigPath: expected a string',
  ],
  [
    'runtimes.kata.type = "io.kata.v2"\nruntimes.kata.binary = "/k"',
    'runtimes.kata.binary: has no use with type "io.kata.v2"',
  ],
  ['streaming.port = 65536', 'from 0 to 65535'],
  ['metrics.address = "0.0.0.0:9090"', 'a loopback address and port such as "127.0.0.1:9090"'],
  ['metrics.address = "127.0.0.1:0"', 'found the string'],
  ['metrics.address = "127.0.0.1.1:80"', 'found the string'],
  ['metrics.address = "[::1]:65536"', 'found the string'],
  ['tracing.endpoint = "localhost:4317"', 'expected an http or https URL, or "" for none'],
  ['tracing.debug_socket = "run"', 'expected "auto", "" for none, or an absolute path of a unix socket'],
  ['streaming.tls = true', 'expected one of "off", "generated", "files", found true'],
  [
    '[streaming]\ntls_key_file = "/k"\ntls = "files"',
    '3:1: streaming.tls_cert_file: expected a path, since tls is "files"',
  ],
  [
    '[streaming]\ntls = "generated"\ntls_key_file = "/k"',
    '3:1: streaming.tls_key_file: has no use, since tls is "generated"',
  ],
  ['[streaming]\nclient_ca_file = "/ca"', '2:1: streaming.client_ca_file: has no use, since tls is "off"'],
  ['default_runtime = "kata"', '1:1: default_runtime: no table [runtimes.kata]; there is runc'],
  ['default_runtime = "constructor"', 'no table [runtimes.constructor]'],
  ['runtimes.Kata = {}', '1:10: runtimes.Kata: expected a runtime handler name'],
  ['runtimes.__proto__ = {}', 'expected a runtime handler name'],
  ['[runtimes.runc]\nsandbox = "vm"', '2:1: runtimes.runc.sandbox: expected one of "pinned", "pause"'],
  ['[runtimes.runc]\nsystemd_cgroup = ""', 'expected true or false'],
  ['lisen = "/a"', '1:1: unknown key lisen; did you mean listen?'],
  ['[containerdd]\naddress = "/a"', '1:2: unknown key containerdd; did you mean containerd?'],
  [
    '[cni]\nlog_level = "info"',
    '2:1: unknown key cni.log_level; log_level belongs at the top, before the first [table]',
  ],
  ['bin_dirs = ["/a"]', 'unknown key bin_dirs; bin_dirs belongs in [cni]'],
  ['systemd_cgroup = true', 'belongs in [runtimes.NAME]'],
  ['[cni]\ncolour = 1', 'unknown key cni.colour; known here: conf_dir, bin_dirs, timeout_ms'],
  ['__proto__ = 1', 'unknown key __proto__'],
  ['constructor = 1', 'unknown key constructor'],
  ['listen = ', '1:10: '],
  ['root = "/a"\nroot = "/b"', '2:1: '],
])('%j is refused', (text, message) => {
  const problems = problemsOf(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
});

test('all problems of a file are told at once, in its order', () => {
  const text = `lisen = "/a"
[cni]
timeout_ms = "60s"
[runtimes.kata]
sandbox = "vm"
  [containerd]
  adress = "/run/c.sock"
`;
  expect(problemsOf(text)).toEqual([
    '1:1: unknown key lisen; did you mean listen?',
    '3:1: cni.timeout_ms: expected a whole number from 1000 to 3600000, found the string "60s"',
    '5:1: runtimes.kata.sandbox: expected one of "pinned", "pause", found the string "vm"',
    '7:3: unknown key containerd.adress; did you mean address?',
  ]);
});

test('a syntax error is one short line', () => {
  expect(problemsOf('[cni\nconf_dir = 1')).toEqual([expect.stringMatching(/^1:\d+: [^\n]+$/)]);
});

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mountsBelow, mountTmpfs, unmount } from './mounts.ts';
import type { NamespaceThread, PinRequest } from './namespaces.ts';
import { startNamespaceThread } from './namespaces.ts';
import { runProcess } from './process.ts';

const asRoot = test.runIf(process.getuid?.() === 0);
const root = mkdtempSync(join(tmpdir(), 'cristal-ns-'));
let thread: NamespaceThread;
let lastDir = 0;

beforeAll(async () => {
  thread = await startNamespaceThread(pino({ level: 'silent' }));
});

afterAll(async () => {
  await thread[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

function request(overrides: Partial<PinRequest> = {}): PinRequest {
  const dir = join(root, `${++lastDir}`);
  return {
    dir,
    network: true,
    ipc: true,
    uts: true,
    hostname: 'pod-a',
    sysctls: {},
    ids: null,
    ...overrides,
  };
}

/** The namespaces of all threads of this process, as one sorted list without repeats. */
function ownNamespaces(): string[] {
  const links = readdirSync('/proc/self/task').flatMap((task) =>
    ['net', 'ipc', 'uts'].map((kind) => readlinkSync(`/proc/self/task/${task}/ns/${kind}`)),
  );
  return [...new Set(links)].sort();
}

async function inside(dir: string, script: string): Promise<string> {
  const args = [`--net=${dir}/net`, `--ipc=${dir}/ipc`, `--uts=${dir}/uts`, 'sh', '-c', script];
  const path = process.env['PATH'] ?? '';
  const { stdout, stderr, code } = await runProcess({
    file: 'nsenter',
    args,
    env: { PATH: path },
    timeoutMs: 5000,
  });
  expect({ code, stderr: stderr.toString() }).toEqual({ code: 0, stderr: '' });
  return stdout.toString().trim();
}

asRoot('what is pinned has its own name, sysctls and a working loopback', async () => {
  const before = ownNamespaces();
  const sysctls = {
    'net.ipv4.ip_unprivileged_port_start': '81',
    'kernel/shm_rmid_forced': '1',
    'fs.mqueue.msg_max': '7',
  };
  const hostValues = ['net/ipv4/ip_unprivileged_port_start', 'kernel/shm_rmid_forced', 'fs/mqueue/msg_max'];
  const readHost = () => hostValues.map((name) => readFileSync(`/proc/sys/${name}`, 'utf8').trim());
  const host = readHost();
  const { dir } = request();

  await thread.pin(request({ dir, sysctls }));

  const cat = hostValues.map((name) => `/proc/sys/${name}`).join(' ');
  expect(await inside(dir, `cat ${cat}; hostname`)).toBe('81\n1\n7\npod-a');
  expect(await inside(dir, 'grep -q "127.0.0.1" /proc/net/fib_trie && echo routed')).toBe('routed');
  expect(readHost()).toEqual(host);
  expect(ownNamespaces()).toEqual(before);
  expect(readdirSync(dir).sort()).toEqual(['ipc', 'net', 'uts']);

  await thread.unpin(dir);
  expect(existsSync(dir)).toBe(false);
  expect(await mountsBelow(root)).toEqual([]);
  await thread.unpin(dir);
});

asRoot('only the kinds that were asked for are made', async () => {
  const { dir } = request();
  await thread.pin(request({ dir, network: false, uts: false }));
  expect(readdirSync(dir)).toEqual(['ipc']);
  expect(await mountsBelow(dir)).toMatchObject([{ mountPoint: `${dir}/ipc`, fsType: 'nsfs' }]);
  await thread.unpin(dir);
});

asRoot.each([
  [
    'an unknown sysctl',
    { sysctls: { 'net.ipv4.no_such': '1' } },
    'invalid_argument',
    /set sysctl net\.ipv4\.no_such to "1": ENOENT/,
  ],
  [
    'a bad value',
    { sysctls: { 'net.ipv4.ip_forward': 'x' } },
    'invalid_argument',
    /set sysctl net\.ipv4\.ip_forward to "x": EINVAL/,
  ],
  ['a sysctl of the host', { sysctls: { 'vm.swappiness': '1' } }, 'invalid_argument', /not namespaced/],
  ['a long host name', { hostname: 'x'.repeat(65) }, 'invalid_argument', /longer than 64/],
])('%s leaves nothing', async (_, overrides, code, message) => {
  const before = ownNamespaces();
  const { dir } = request();
  await expect(thread.pin(request({ ...overrides, dir }))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
  expect(existsSync(dir)).toBe(false);
  expect(await mountsBelow(root)).toEqual([]);
  expect(ownNamespaces()).toEqual(before);
});

asRoot('a pin that is there is not touched by a second one', async () => {
  const { dir } = request();
  await thread.pin(request({ dir }));
  await expect(thread.pin(request({ dir, hostname: 'other' }))).rejects.toMatchObject({
    code: 'already_exists',
  });
  expect(await inside(dir, 'hostname')).toBe('pod-a');
  await thread.unpin(dir);
});

asRoot('unpin removes pin files that were never mounted, and leaves what is not its own', async () => {
  const { dir } = request();
  mkdirSync(dir);
  writeFileSync(join(dir, 'net'), '');
  writeFileSync(join(dir, 'notes'), '');
  await thread.unpin(dir);
  expect(readdirSync(dir)).toEqual(['notes']);
  rmSync(dir, { recursive: true });
});

asRoot.each(['shared', 'private', 'slave'])('pins work on a %s mount', async (propagation) => {
  const { dir } = request();
  mkdirSync(dir);
  await mountTmpfs(dir, { sizeBytes: 65536, mode: 0o755 });
  const env = { PATH: process.env['PATH'] ?? '' };
  await runProcess({ file: 'mount', args: [`--make-${propagation}`, dir], env, timeoutMs: 5000 });
  const pins = join(dir, 'pins');
  await thread.pin(request({ dir: pins }));
  expect(await inside(pins, 'hostname')).toBe('pod-a');
  await thread.unpin(pins);
  expect((await mountsBelow(dir)).map(({ mountPoint }) => mountPoint)).toEqual([dir]);
  await unmount(dir);
  rmSync(dir, { recursive: true });
});

asRoot('many at once come out whole', async () => {
  const requests = Array.from({ length: 10 }, (_, index) => request({ hostname: `pod-${index}` }));
  await Promise.all(requests.map((one) => thread.pin(one)));
  const names = await Promise.all(requests.map(({ dir }) => inside(dir, 'hostname')));
  expect(names).toEqual(requests.map(({ hostname }) => hostname));
  await Promise.all(requests.map(({ dir }) => thread.unpin(dir)));
  expect(await mountsBelow(root)).toEqual([]);
});

asRoot('traffic is read in many namespaces at once, and the thread comes home', async () => {
  const requests = Array.from({ length: 70 }, () => request({ ipc: false, uts: false }));
  await Promise.all(requests.map((one) => thread.pin(one)));
  const paths = requests.map(({ dir }) => join(dir, 'net'));
  const before = ownNamespaces();
  const texts = await thread.netDev([...paths, join(root, 'none')]);
  expect(texts.at(-1)).toBeNull();
  for (const text of texts.slice(0, -1)) expect(text).toMatch(/^\s*lo:\s+0\s/m);
  expect(ownNamespaces()).toEqual(before);
  const [first = ''] = paths;
  await thread.unpin(requests[0]?.dir ?? '');
  mkdirSync(requests[0]?.dir ?? '');
  writeFileSync(first, '');
  expect(await thread.netDev([first])).toEqual([null]);
  await Promise.all(requests.map(({ dir }) => thread.unpin(dir)));
});

asRoot(
  'defaults are set where the pod asks for nothing else, and one that the kernel lacks is passed over',
  async () => {
    const pin = request({
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
      defaultSysctls: {
        'net.ipv4.ip_unprivileged_port_start': '0',
        'net.ipv4.ping_group_range': '0 2147483647',
        'net.ipv4.no_such_thing': '1',
      },
    });
    await thread.pin(pin);
    const show = 'cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range';
    expect(await inside(pin.dir, show)).toBe('80\n0\t2147483647');
    await thread.unpin(pin.dir);
  },
);

asRoot('a user namespace is pinned with the namespaces that it owns', async () => {
  const range = { containerId: 0, hostId: 70_000, length: 1000 };
  const own = ownNamespaces();
  const wanted = request({
    ids: { uids: range, gids: range },
    sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
  });
  await thread.pin(wanted);
  expect(readdirSync(wanted.dir).sort()).toEqual(['ipc', 'net', 'user', 'uts']);
  expect(ownNamespaces()).toEqual(own);
  expect(await inside(wanted.dir, 'hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe(
    'pod-a\n80',
  );
  // Who has come into its user namespace may change its network.
  const { stdout, code } = await runProcess({
    file: 'nsenter',
    args: [`--user=${wanted.dir}/user`, `--net=${wanted.dir}/net`, 'sh', '-c', 'id -u; ip link set lo down'],
    env: { PATH: process.env['PATH'] ?? '' },
    timeoutMs: 5_000,
  });
  expect([stdout.toString(), code]).toEqual(['0\n', 0]);
  await thread.unpin(wanted.dir);
  expect(existsSync(wanted.dir)).toBe(false);
});

asRoot('a user namespace that cannot be had leaves nothing', async () => {
  const range = { containerId: 0, hostId: 4_294_967_290, length: 1000 };
  const wanted = request({ ids: { uids: range, gids: range } });
  await expect(thread.pin(wanted)).rejects.toThrow(/map the ids/);
  expect(existsSync(wanted.dir)).toBe(false);
});

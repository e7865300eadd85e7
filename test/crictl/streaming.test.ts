import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { CriClient } from '../fixtures/cri-client.ts';
import { createCriClient } from '../fixtures/cri-client.ts';
import type { Snapshot } from '../fixtures/leaks.ts';
import { leaksSince, snapshot } from '../fixtures/leaks.ts';
import { eventually, processes } from '../fixtures/processes.ts';
import { freePort } from '../fixtures/registry.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import { containerdVersions, whyNotCrictl } from '../fixtures/tools.ts';
import type { Session, Terminal } from './session.ts';
import { startSession, startTerminal } from './session.ts';
import type { CrictlWorld } from './world.ts';
import { createWorld, sleeper, usesBuiltin } from './world.ts';

/** CRI's NamespaceMode, in which the host's namespaces are called those of the node. */
const NODE = 2;
// containerd refuses crictl's WebSocket upgrade for want of an Origin.
const transports = usesBuiltin ? ['spdy'] : ['spdy', 'websocket'];

const web = ['sh', '-c', 'mkdir /www; echo from the pod >/www/index.html; exec httpd -f -p $PORT -h /www'];
const counter = ['sh', '-c', 'n=0; while true; do n=$((n+1)); echo line $n; usleep 50000; done'];
const echo = ['sh', '-c', 'while read line; do echo "got $line"; done; echo over; sleep 3600'];

describe.each(containerdVersions)('crictl streams against containerd %s', (version) => {
  describe.skipIf(whyNotCrictl(version) !== null)('a pod', () => {
    let world: CrictlWorld;
    let cri: CriClient;
    let address = '';
    let dir = '';
    let podFile = '';
    let pod = '';
    let main = '';
    let clean: Snapshot;
    let descriptors = 0;

    beforeAll(async () => {
      world = await createWorld(version);
      address = world.cristal?.address ?? world.containerd.address;
      cri = createCriClient(address);
      dir = scratchDir('streaming');
      await world.crictl.text('pull', world.image);
      podFile = world.podFile({ name: 'streaming' });
      pod = await world.crictl.text('runp', podFile);
      main = await run('main', sleeper);
      await run('web', web, { envs: [{ key: 'PORT', value: '80' }] });
      // What the first of its kind makes stays, such as the directory of a container's execs.
      await world.crictl.text('exec', main, 'true');
      clean = await snapshot(world);
      descriptors = openDescriptors();
    });
    afterAll(async () => {
      cri?.close();
      if (dir !== '') removeScratch(dir);
      await world?.[Symbol.asyncDispose]();
    });

    /** A container in the pod, running. */
    async function run(name: string, command: string[], overrides: object = {}): Promise<string> {
      const file = world.containerFile(name, command, overrides);
      const id = await world.crictl.text('create', pod, file, podFile);
      await world.crictl.text('start', id);
      return id;
    }

    async function remove(id: string): Promise<void> {
      await world.crictl.text('stop', '--timeout', '0', id);
      await world.crictl.text('rm', id);
    }

    async function stateOf(id: string): Promise<string> {
      const { status } = await world.crictl.json<{ status: { state: string } }>('inspect', id);
      return status.state;
    }

    function session(...args: string[]): Session {
      return startSession(address, ...args);
    }

    async function terminal(...args: string[]): Promise<Terminal> {
      const own = mkdtempSync(join(dir, 'tty-'));
      return await startTerminal({ address, dir: own, rows: 33, columns: 101 }, ...args);
    }

    /** How many processes of the test's containers have this on their command line. */
    function running(command: string): number {
      return processes().filter(
        (process) => process.command === command && process.cgroup.includes(world.cgroup),
      ).length;
    }

    /** Without the cgroup files that cristal keeps open to sample them. */
    function openDescriptors(): number {
      if (world.cristal === undefined) return 0;
      const fds = `/proc/${world.cristal.pid()}/fd`;
      return readdirSync(fds).filter((fd) => !targetOf(`${fds}/${fd}`).startsWith('/sys/')).length;
    }

    describe.each(transports)('over %s', (transport) => {
      const by = ['--transport', transport];

      test('exec shows both outputs and tells of the exit code', async () => {
        const script = 'echo out; echo err >&2';
        await using good = session('exec', ...by, main, 'sh', '-c', script);
        expect(await good.ended).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
        await using bad = session('exec', ...by, main, 'sh', '-c', `${script}; exit 7`);
        expect(await bad.ended).toMatchObject({
          code: 1,
          stdout: 'out\n',
          stderr: expect.stringMatching(/^err\n.*exit code:? 7/s),
        });
        await using none = session('exec', ...by, main, '/no/such');
        expect(await none.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('/no/such') });
      });

      test('exec -i gives the input to the process, and its end', async () => {
        const sent = 'a line of input\n'.repeat(100_000);
        await using cat = session('exec', '-i', ...by, main, 'cat');
        cat.stdin.end(sent);
        const { code, stdout, stderr } = await cat.ended;
        expect({ code, stderr, same: stdout === sent, bytes: stdout.length }).toEqual({
          code: 0,
          stderr: '',
          same: true,
          bytes: sent.length,
        });
      });

      test('all that a process says before it ends arrives', async () => {
        const script = 'head -c 5000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 3';
        await using talker = session('exec', ...by, main, 'sh', '-c', script);
        const { code, stdout, stderr } = await talker.ended;
        expect([code, stdout.length, stderr.lastIndexOf('\0') + 1]).toEqual([1, 5_000_000, 3_000_000]);
      });

      test('exec -it on a terminal has its size, follows it, and keeps the exit code', async () => {
        await using shell = await terminal('exec', '-it', ...by, main, 'sh');
        expect(await answered(shell, 'stty size', '33 101')).toBe(true);
        shell.resize(22, 55);
        expect(await answered(shell, 'stty size', '22 55')).toBe(true);
        shell.stdin.write('tty; exit 5\n');
        const { code, stdout } = await shell.ended;
        expect(stdout).toContain('/dev/pts/0');
        expect(stdout).toMatch(/exit code:? 5/);
        expect(code).toBe(1);
      });

      // containerd's own lets it run.
      test.skipIf(usesBuiltin)('a client that vanishes takes its process with it', async () => {
        await using exec = session('exec', '-i', ...by, main, 'sleep', '4321');
        expect(await eventually(() => running('sleep 4321') === 1)).toBe(true);
        exec.kill();
        expect(await eventually(() => running('sleep 4321') === 0)).toBe(true);
      });

      test('two attaches see one container, and it goes on without them', async () => {
        const id = await run('counter', counter);
        await using first = session('attach', ...by, id);
        await using second = session('attach', ...by, id);
        expect(await Promise.all([first.shows(/^line \d+$/m), second.shows(/^line \d+$/m)])).toEqual([
          true,
          true,
        ]);
        first.kill();
        const [seen = 0] = lines(second).slice(-1);
        expect(await eventually(() => (lines(second).at(-1) ?? 0) > seen + 5)).toBe(true);
        const all = lines(second);
        expect(all).toEqual(all.map((_, index) => (all[0] ?? 0) + index));
        second.kill();
        await second.ended;
        expect(await stateOf(id)).toBe('CONTAINER_RUNNING');
        await remove(id);
      });

      test('attach ends with its container', async () => {
        const script = 'until [ -e /end ]; do echo waiting; usleep 50000; done; echo bye; exit 4';
        const id = await run('ending', ['sh', '-c', script]);
        await using attached = session('attach', ...by, id);
        expect(await attached.shows('waiting')).toBe(true);
        await world.crictl.text('exec', id, 'touch', '/end');
        expect(await attached.ended).toEqual({
          code: 0,
          stdout: expect.stringMatching(/^(waiting\n)+bye\n$/),
          stderr: '',
        });
        await remove(id);
      });

      test('attach -i gives input to a container with stdin, again and again', async () => {
        const id = await run('echo', echo, { stdin: true });
        for (const word of ['one', 'two']) {
          await using attached = session('attach', '-i', ...by, id);
          attached.stdin.write(`${word}\n`);
          expect(await attached.shows(`got ${word}`)).toBe(true);
          expect(attached.stdout()).not.toContain('over');
          attached.kill();
        }
        expect(await stateOf(id)).toBe('CONTAINER_RUNNING');
        await remove(id);
      });

      test('with stdin_once the first client’s end of input is the container’s', async () => {
        const id = await run('once', echo, { stdin: true, stdin_once: true });
        await using attached = session('attach', '-i', ...by, id);
        attached.stdin.end('only\n');
        expect(await attached.shows('got only\nover\n')).toBe(true);
        await remove(id);
      });

      test('attach -it to a terminal, and detach by its keys', async () => {
        const id = await run('shell', ['sh'], { stdin: true, tty: true });
        await using attached = await terminal('attach', '-it', ...by, id);
        expect(await answered(attached, 'stty size', '33 101')).toBe(true);
        attached.stdin.write('\x10\x11');
        await attached.ended;
        expect(await stateOf(id)).toBe('CONTAINER_RUNNING');
        await remove(id);
      });

      test('port-forward serves many requests', async () => {
        await using forward = session('port-forward', ...by, pod, ':80');
        const url = await forwarded(forward);
        expect(await page(url)).toBe('from the pod\n');
        const pages = await Promise.all(Array.from({ length: 20 }, async () => await page(url)));
        expect(pages).toEqual(pages.map(() => 'from the pod\n'));
        forward.interrupt();
        await forward.ended;
      });

      test('port-forward tells of a port on which nobody listens, and another session goes on', async () => {
        await using good = session('port-forward', ...by, pod, ':80');
        const url = await forwarded(good);
        await using bad = session('port-forward', ...by, pod, ':81');
        await expect(page(await forwarded(bad))).rejects.toThrow();
        // crictl itself gives up all ports after an error on one.
        expect((await bad.ended).stderr).toMatch(/error forwarding port 81|port 81.*refused/is);
        expect(await page(url)).toBe('from the pod\n');
      });

      test('port-forward to a pod on the host’s network', async () => {
        const port = await freePort();
        const linux = { security_context: { namespace_options: { network: NODE } } };
        const file = world.podFile({ name: `host-${transport}`, hostname: '', linux });
        const hostPod = await world.crictl.text('runp', file);
        const config = world.containerFile('host-web', web, {
          envs: [{ key: 'PORT', value: String(port) }],
          linux,
        });
        const id = await world.crictl.text('create', hostPod, config, file);
        await world.crictl.text('start', id);
        await using forward = session('port-forward', ...by, hostPod, `:${port}`);
        const url = await forwarded(forward);
        expect(await page(url)).toBe('from the pod\n');
        await world.crictl.text('rmp', '-f', hostPod);
      });
    });

    test('a port that fails leaves the others of its session alone', async () => {
      const { url } = await cri.runtime.portForward({ podSandboxId: pod, port: [81, 80] });
      const socket = new WebSocket(url.replace('http', 'ws'), 'v4.channel.k8s.io');
      const channels = ['', '', '', ''];
      socket.on('message', (data: Buffer) => {
        const channel = data[0] ?? 0;
        channels[channel] = (channels[channel] ?? '') + data.toString('latin1', 1);
      });
      await once(socket, 'open');
      expect(await eventually(() => /refused/i.test(channels[1] ?? ''))).toBe(true);
      socket.send(Buffer.from('\x02GET / HTTP/1.0\r\n\r\n'));
      expect(await eventually(() => (channels[2] ?? '').includes('from the pod'))).toBe(true);
      // Only the port's number, which every channel begins with.
      expect(channels[3]).toBe('P\0');
      socket.terminate();
    });

    test('a URL is good for one session', async () => {
      const request = { containerId: main, cmd: ['echo', 'hello'], stdout: true };
      const { url } = await cri.runtime.exec(request);
      const { url: other } = await cri.runtime.exec(request);
      expect(other).not.toBe(url);
      const socket = new WebSocket(url.replace('http', 'ws'), 'v4.channel.k8s.io');
      await once(socket, 'close');
      expect((await fetch(url)).status).toBe(404);
      expect((await fetch(other.replace(/.{8}$/, 'abcdefgh'))).status).toBe(404);
      const again = new WebSocket(url.replace('http', 'ws'), 'v4.channel.k8s.io');
      const [error] = (await once(again, 'error')) as [Error];
      expect(error.message).toContain('404');
    });

    test('nothing is left', async () => {
      expect(await leaksSince(clean, world, 15_000)).toEqual([]);
      expect(await eventually(() => openDescriptors() <= descriptors)).toBe(true);
    });

    const left = (): number => running('sleep 4322') + running('sleep 4323');

    describe.skipIf(usesBuiltin).each(['SIGTERM', 'SIGKILL'])('cristal is ended by %s', (how) => {
      test.each(transports)('and so are execs and attaches over %s', async (transport) => {
        const cristal = world.cristal;
        if (cristal === undefined) throw new Error('there is no cristal');
        const by = ['--transport', transport];
        await using exec = session('exec', '-i', ...by, main, 'sh', '-c', 'sleep 4322 & sleep 4323');
        await using attached = session('attach', ...by, main);
        await using forward = session('port-forward', ...by, pod, ':80');
        await forwarded(forward);
        expect(await eventually(() => left() === 2)).toBe(true);

        await (how === 'SIGTERM' ? cristal.terminate() : cristal.kill9());
        // Over SPDY crictl takes a connection that just breaks for the end of a good command.
        const code = how === 'SIGKILL' && transport === 'spdy' ? 0 : 1;
        expect((await exec.ended).code).toBe(code);
        await attached.ended;
        await forward.ended;
        if (how === 'SIGTERM') expect(left()).toBe(0);
        await cristal.resume();
        expect(await eventually(() => left() === 0)).toBe(true);
        expect(await stateOf(main)).toBe('CONTAINER_RUNNING');
        expect(await world.crictl.text('exec', ...by, main, 'echo', 'again')).toBe('again');
        expect(await leaksSince(clean, world, 15_000)).toEqual([]);
      });
    });
  });
});

/** Types a command until its answer is seen: a shell takes a moment to start, and a size to arrive. */
async function answered(terminal: Terminal, command: string, answer: string): Promise<boolean> {
  return await eventually(() => {
    terminal.stdin.write(`${command}\n`);
    return terminal.stdout().includes(answer);
  });
}

/** The numbers of the lines that a counter's client has seen in whole. */
function lines(session: Session): number[] {
  return [...session.stdout().matchAll(/^line (\d+)\n/gm)].map(([, number]) => Number(number));
}

/** Where a port-forward listens, as soon as it says so. */
async function forwarded(session: Session): Promise<string> {
  const pattern = /Forwarding from (127\.0\.0\.1:\d+) ->/;
  if (!(await session.shows(pattern))) throw new Error(`no forwarding: ${session.stderr()}`);
  return `http://${pattern.exec(session.stdout())?.[1]}/`;
}

async function page(url: string): Promise<string> {
  const headers = { connection: 'close' };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  return await response.text();
}

/** Where a link points, '' when it is gone by now. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

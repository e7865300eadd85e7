import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RemoteStreams, TerminalSize } from '../../src/lib/streams.ts';
import { eventually, processes } from '../fixtures/processes.ts';
import { containerdVersions, whyNot } from '../fixtures/tools.ts';
import type { Inside, Ran } from './inside.ts';
import { startInside } from './inside.ts';

const MIB = 1024 * 1024;
const SLEEPER = ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'];
const never = new AbortController().signal;

describe.each(containerdVersions)('sessions on containerd %s', (version) => {
  describe.skipIf(whyNot(version) !== null)('sessions', () => {
    let inside: Inside;
    let main: Ran;
    let idle: string[];

    beforeAll(async () => {
      inside = await startInside(version);
      main = await inside.run('main', SLEEPER);
      await exec(['true']);
      idle = held();
    });
    afterEach(async () => {
      // What a process leaves goes after its exit code was answered.
      await expect
        .poll(() => readdirSync(`${inside.services().paths.containerState(main.id)}/exec`), {
          timeout: 15_000,
        })
        .toEqual([]);
      await expect.poll(() => heldBeyond(idle)).toEqual([]);
    });
    afterAll(async () => {
      await inside?.[Symbol.asyncDispose]();
    });

    const exec = async (
      cmd: string[],
      { signal = never, tty = false, container = main.id, ...streams }: Partial<RemoteStreams> & Extra = {},
    ) => {
      const wish = { containerId: container, cmd, tty, stdin: true, stdout: true, stderr: true };
      const out = collect();
      const err = collect();
      const all = {
        stdin: null,
        stdout: out.sink,
        stderr: tty ? null : err.sink,
        onResize: () => {},
        ...streams,
      };
      const code = await inside.sessions().exec(wish, all, signal);
      return { code, out: out.text(), err: err.text() };
    };

    /** Processes of the main container whose command line has this in it. */
    const left = (command: string) =>
      processes().filter((process) => process.command.includes(command) && process.cgroup.includes(main.id));

    const attach = async (
      container: string,
      { signal = never, ...streams }: Partial<RemoteStreams> & Extra,
    ): Promise<void> => {
      const wish = { containerId: container, tty: false, stdin: true, stdout: true, stderr: true };
      const all = { stdin: null, stdout: null, stderr: null, onResize: () => {}, ...streams };
      await inside.sessions().attach(wish, all, signal);
    };

    const remove = async ({ podId }: Ran): Promise<void> => {
      await inside.cri.runtime.stopPodSandbox({ podSandboxId: podId });
      await inside.cri.runtime.removePodSandbox({ podSandboxId: podId });
    };

    test('output of both kinds and the exit code', async () => {
      const said = await exec(['sh', '-c', 'echo out; echo err >&2; exit 7']);
      expect(said).toEqual({ code: 7, out: 'out\n', err: 'err\n' });
      expect(await exec(['true'], { stdout: null, stderr: null })).toMatchObject({ code: 0 });
      await expect(exec(['/no/such'])).rejects.toMatchObject({
        message: expect.stringMatching(/exec in container .*no such file/s),
      });
      await expect(exec([])).rejects.toMatchObject({ code: 'invalid_argument' });
      await expect(exec(['true'], { container: 'nobody' })).rejects.toMatchObject({ code: 'not_found' });
    });

    test('an exec is a trace of its own while it runs', async () => {
      const { tracer } = inside.services();
      const traces = () => tracer.running().filter(({ root }) => root.kind === 'session');
      const stdin = new PassThrough();
      const said = exec(['cat'], { stdin });
      await expect.poll(() => traces()[0]?.root.children?.map(({ name }) => name)).toContain('Tasks.Start');
      expect(traces()).toMatchObject([{ root: { name: 'exec', attributes: { target: main.id } } }]);
      stdin.end('through');
      expect(await said).toMatchObject({ code: 0, out: 'through' });
      expect(traces()).toEqual([]);
    });

    test('64 MiB of stdin come back', async () => {
      const data = randomBytes(64 * MIB);
      const hash = createHash('sha256');
      const { code } = await exec(['cat'], { stdin: Readable.from(pieces(data)), stdout: into(hash) });
      expect([code, hash.digest('hex')]).toEqual([0, createHash('sha256').update(data).digest('hex')]);
    });

    test('many quick ones with a little stdin each lose none of it', async () => {
      const said = await Promise.all(
        Array.from({ length: 24 }, (_, index) => exec(['cat'], { stdin: Readable.from([`in ${index}`]) })),
      );
      expect(said.map(({ code, out }) => [code, out])).toEqual(said.map((_, index) => [0, `in ${index}`]));
    });

    test('512 MiB of output, and a client that does not read holds the process', async () => {
      let bytes = 0;
      const counter = new Writable({
        highWaterMark: MIB,
        write(chunk: Buffer, _, done) {
          bytes += chunk.length;
          done();
        },
      });
      const { code } = await exec(['dd', 'if=/dev/zero', 'bs=1M', 'count=512'], {
        stdout: counter,
      });
      expect([code, bytes]).toEqual([0, 512 * MIB]);

      const stuck = new PassThrough({ highWaterMark: MIB });
      const gone = new AbortController();
      const before = process.memoryUsage().rss;
      const running = exec(['sh', '-c', 'cat /dev/zero'], { stdout: stuck, signal: gone.signal });
      await sleep(1_500);
      expect(stuck.writableLength + stuck.readableLength).toBeLessThan(4 * MIB);
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB);
      gone.abort();
      await expect(running).rejects.toThrow();
      expect(left('cat /dev/zero')).toEqual([]);
    });

    test('a slow client gets all, however long that takes after the exit', async () => {
      const hash = createHash('sha256');
      let bytes = 0;
      const slow = new Writable({
        highWaterMark: 16_384,
        write(chunk: Buffer, _, done) {
          bytes += chunk.length;
          hash.update(chunk);
          setTimeout(done, 600);
        },
      });
      const { code } = await exec(['sh', '-c', 'head -c 900000 /dev/zero'], { stdout: slow });
      expect([code, bytes]).toEqual([0, 900_000]);
    });

    test('a grandchild that keeps the output open holds nothing up for long', async () => {
      const started = performance.now();
      const said = await exec(['sh', '-c', 'sleep 63 & echo done; exit 3']);
      expect(said).toMatchObject({ code: 3, out: 'done\n' });
      expect(performance.now() - started).toBeLessThan(20_000);
      for (const { pid } of left('sleep 63')) process.kill(pid, 'SIGKILL');
    });

    test('a terminal: its size, also from before the start, and the end of input', async () => {
      let resize: ((size: TerminalSize) => void) | null = null;
      const onResize = (listener: (size: TerminalSize) => void) => {
        resize = listener;
        listener({ width: 101, height: 33 });
      };
      const stdin = new PassThrough();
      const out = collect();
      const running = exec(['sh'], { tty: true, stdin, stdout: out.sink, onResize });
      stdin.write('stty size\n');
      await expect
        .poll(() => (stdin.write('stty size\n'), out.text()), { interval: 100, timeout: 5_000 })
        .toContain('33 101');
      (resize as ((size: TerminalSize) => void) | null)?.({ width: 55, height: 22 });
      await expect
        .poll(() => (stdin.write('stty size\n'), out.text()), { interval: 100, timeout: 5_000 })
        .toContain('22 55');
      stdin.end('echo "the "end; (exit 5)\n');
      expect((await running).code).toBe(5);
      expect(out.text()).toContain('the end');
    });

    test('a client that vanishes takes the process and its children with it', async () => {
      const gone = new AbortController();
      const running = exec(['sh', '-c', 'sh -c "sleep 61; true" & sleep 62; true'], { signal: gone.signal });
      expect(await eventually(async () => left('sleep 6').length >= 2, 5_000)).toBe(true);
      gone.abort();
      await expect(running).rejects.toThrow();
      await expect.poll(() => left('sleep 6')).toEqual([]);
      await expect(exec(['true'], { signal: AbortSignal.abort() })).rejects.toThrow();
    });

    test('whenever a client vanishes nothing is left', async () => {
      for (let ms = 0; ms < 90; ms += 6) {
        const signal = AbortSignal.timeout(ms);
        await expect(exec(['sleep', '66'], { signal, stdin: stdinOf('x') })).rejects.toThrow();
        expect(left('sleep 66')).toEqual([]);
      }
      await expect.poll(() => processes().filter(({ cgroup }) => cgroup.includes(main.id)).length).toBe(2);
    });

    test('a process that does not read its input, and one that ends while input comes', async () => {
      const stdin = new PassThrough();
      const feeding = setInterval(() => stdin.write(Buffer.alloc(100_000)), 5);
      const { code } = await exec(['sh', '-c', 'exec <&-; sleep 0.5; exit 4'], { stdin });
      expect((await exec(['head', '-c', '1'], { stdin })).code).toBe(0);
      clearInterval(feeding);
      expect([code, stdin.destroyed]).toEqual([4, false]);
    });

    test('attach: several at once, one of them stuck, and the log whole', async () => {
      const talker = await inside.run('talker', [
        'sh',
        '-c',
        'while [ ! -e /go ]; do sleep 0.1; done; seq 1 3000000; echo bad >&2',
      ]);
      const outs = [0, 1].map(() => createHash('sha256'));
      const errs = [collect(), collect()];
      const attached = outs.map((hash, index) =>
        attach(talker.id, { stdout: into(hash), stderr: errs[index]?.sink ?? null }),
      );
      const stuck = attach(talker.id, { stdout: new Writable({ write() {} }) });
      const leaver = new AbortController();
      const leaving = attach(talker.id, { stdout: collect().sink, signal: leaver.signal });
      await sleep(100);
      leaver.abort();
      await leaving;
      await exec(['touch', '/go'], { container: talker.id });
      await expect(stuck).rejects.toMatchObject({ code: 'resource_exhausted' });
      await Promise.all(attached);
      const whole = Array.from({ length: 3_000_000 }, (_, index) => `${index + 1}\n`).join('');
      const expected = createHash('sha256').update(whole).digest('hex');
      expect(outs.map((hash) => hash.digest('hex'))).toEqual([expected, expected]);
      expect(errs.map((err) => err.text())).toEqual(['bad\n', 'bad\n']);
      expect(readFileSync(talker.log, 'latin1').split('\n').length).toBe(3_000_002);
      await remove(talker);
    });

    test.each([true, false])('attach with input, stdinOnce %s', async (stdinOnce) => {
      const echo = await inside.run('echo', ['sh', '-c', 'cat; echo over'], {
        container: { stdin: true, stdinOnce },
      });
      const out = collect();
      const stdin = new PassThrough();
      const other = attach(echo.id, { stdout: collect().sink });
      const attached = attach(echo.id, { stdin, stdout: out.sink });
      stdin.write('hello\n');
      await expect.poll(() => out.text()).toBe('hello\n');
      stdin.end('bye\n');
      await attached;
      if (!stdinOnce) {
        // Only detached: the next one finds the container's stdin open.
        const again = collect();
        const next = new AbortController();
        const second = attach(echo.id, {
          stdin: stdinOf('again\n'),
          stdout: again.sink,
          signal: next.signal,
        });
        await expect.poll(() => again.text()).toContain('again\n');
        next.abort();
        await second;
        await inside.cri.runtime.stopContainer({ containerId: echo.id, timeout: '0' });
      } else {
        expect(out.text()).toBe('hello\nbye\nover\n');
      }
      await other;
      await remove(echo);
    });

    test('attach to a terminal', async () => {
      const shell = await inside.run('shell', ['sh'], { container: { stdin: true, tty: true } });
      const out = collect();
      const stdin = new PassThrough();
      const attached = attach(shell.id, {
        stdin,
        stdout: out.sink,
        onResize: (listener) => listener({ width: 71, height: 17 }),
      });
      await expect
        .poll(() => (stdin.write('stty size\n'), out.text()), { interval: 100, timeout: 5_000 })
        .toContain('17 71');
      stdin.write('exit 0\n');
      await attached;
      await remove(shell);
    });

    test('attach needs a running container', async () => {
      await expect(attach('nobody', {})).rejects.toMatchObject({ code: 'not_found' });
      const done = await inside.run('done', ['true']);
      await eventually(async () => inside.services().containers.get(done.id)?.state === 'exited', 5_000);
      await expect(attach(done.id, {})).rejects.toMatchObject({
        code: 'failed_precondition',
      });
      await remove(done);
    });

    test.each(['POD', 'NODE'])('dial with network %s', async (network) => {
      const port = 20_000 + Math.floor(Math.random() * 10_000);
      const linux = { securityContext: { namespaceOptions: { network } } };
      const web = await inside.run(`web-${network}`, ['nc', '-ll', '-p', `${port}`, '-e', 'cat'], {
        pod: { linux },
        container: { linux },
      });
      const wish = { sandboxId: web.podId, ports: [] };
      await eventually(async () => {
        const socket = await inside
          .sessions()
          .dial(wish, port, never)
          .catch(() => null);
        socket?.destroy();
        return socket !== null;
      }, 5_000);
      const socket = await inside.sessions().dial(wish, port, never);
      const answer = text(socket);
      socket.end('hello');
      expect(await answer).toBe('hello');
      await expect(inside.sessions().dial(wish, 3, never)).rejects.toThrow(/port 3: .*ECONNREFUSED/);
      const open = await inside.sessions().dial(wish, port, never);
      await inside.cri.runtime.stopPodSandbox({ podSandboxId: web.podId });
      await expect(inside.sessions().dial(wish, port, never)).rejects.toMatchObject({
        code: 'failed_precondition',
      });
      open.destroy();
      await once(open, 'close');
      await remove(web);
    });

    test('a restart ends sessions, and leaves nothing but the container', async () => {
      const input = await inside.run('input', ['sh', '-c', 'cat; echo over'], { container: { stdin: true } });
      const attached = attach(input.id, { stdin: new PassThrough(), stdout: collect().sink });
      const running = exec(['sh', '-c', 'sleep 64; true']);
      const failed = expect(running).rejects.toThrow();
      await eventually(async () => left('sleep 64').length > 0, 5_000);
      await inside.restart();
      await attached;
      await failed;
      expect(left('sleep 64')).toEqual([]);
      await attach(input.id, { stdin: Readable.from(['after\n']) });
      await expect.poll(() => readFileSync(input.log, 'utf8')).toContain('F after\n');
      await remove(input);
    });

    test('nothing was worth a warning', () => {
      expect(inside.logged.map(({ msg }) => msg)).toEqual([]);
    });
  });
});

interface Extra {
  signal?: AbortSignal;
  tty?: boolean;
  container?: string;
}

function collect() {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { sink, text: () => Buffer.concat(chunks).toString() };
}

function into(hash: ReturnType<typeof createHash>): Writable {
  return new Writable({
    highWaterMark: MIB,
    write(chunk: Buffer, _, done) {
      hash.update(chunk);
      done();
    },
  });
}

/** Input that stays open. */
function stdinOf(words: string): PassThrough {
  const stdin = new PassThrough();
  stdin.write(words);
  return stdin;
}

function* pieces(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 65_536) yield data.subarray(at, at + 65_536);
}

/** What of ours is open in this process, threads included: FIFOs, pipes and sockets. The cgroups are the stats' own. */
/** What is held now and was not then. A connection that was kept for a while may have gone. */
function heldBeyond(then: readonly string[]): string[] {
  const left = [...then];
  return held().filter((one) => {
    const place = left.indexOf(one);
    if (place !== -1) left.splice(place, 1);
    return place === -1;
  });
}

function held(): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).replace(/\[\d+\]/, '');
      } catch {
        return ''; // the descriptor of the listing itself
      }
    })
    .filter((target) => target !== '' && !/^\/(proc|sys)\//.test(target))
    .sort();
}

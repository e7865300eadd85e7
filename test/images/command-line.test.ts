import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCni } from '../fixtures/cni.ts';
import type { PrivateContainerd } from '../fixtures/containerd.ts';
import { startContainerd } from '../fixtures/containerd.ts';
import type { PrivateCristal } from '../fixtures/cristal.ts';
import { startCristal } from '../fixtures/cristal.ts';
import type { BuiltImage } from '../fixtures/images.ts';
import {
  buildImage,
  buildIndex,
  busyboxImage,
  busyboxLayer,
  pushImage,
  writeDockerArchive,
} from '../fixtures/images.ts';
import { eventually } from '../fixtures/processes.ts';
import type { PrivateRegistry } from '../fixtures/registry.ts';
import { startRegistry } from '../fixtures/registry.ts';
import { removeScratch, scratchDir } from '../fixtures/scratch.ts';
import { containerdVersions, tools, whyNot } from '../fixtures/tools.ts';

const main = join(import.meta.dirname, '../../src/main.ts');

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** An image that no other test has: the text is in its only layer. */
function imageOf(words: string, architecture?: string): Promise<BuiltImage> {
  const layers = [{ files: [{ path: 'text', data: words }] }];
  return buildImage({ layers, ...(architecture === undefined ? {} : { architecture }) });
}

/** A registry that lets in whoever shows one of these, and serves the image from memory. */
async function guarded(image: BuiltImage, passes: string[]) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const pass = request.headers.authorization;
    if (pass === undefined || !passes.includes(pass)) {
      if (pass !== undefined) seen.push(pass);
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    }
    const object = request.url?.split('/').at(-1) ?? '';
    const digest = object.startsWith('sha256:') ? object : image.target.digest;
    const data = image.blobs.get(digest) ?? Buffer.alloc(0);
    const mediaType = request.url?.includes('/blobs/') ? 'application/octet-stream' : image.target.mediaType;
    const headers = { 'content-type': mediaType, 'docker-content-digest': digest };
    response.writeHead(200, { ...headers, 'content-length': data.length });
    response.end(request.method === 'HEAD' ? undefined : data);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function basic(pair: string): string {
  return `Basic ${btoa(pair)}`;
}

describe.each(containerdVersions)('cristal images on containerd %s', (version) => {
  const skip = whyNot(version) ?? (tools.registry === null ? 'no docker-registry' : null);
  const ended = new AsyncDisposableStack();
  let ctd: PrivateContainerd;
  let registry: PrivateRegistry;
  let cristal: PrivateCristal;
  let dir: string;

  const status = async (image: string) => (await cristal.cri.image.imageStatus({ image: { image } })).image;
  const pull = async (image: string) => await cristal.cri.image.pullImage({ image: { image } });
  const remove = async (image: string) => await cristal.cri.image.removeImage({ image: { image } });
  const push = async (repo: string, image: BuiltImage) => {
    await pushImage(registry.url, repo, '1', image);
    return `${registry.host}/${repo}:1`;
  };
  /** Runs cristal as an operator does. */
  const tryTo = async (args: string[], input: Readable | null = null, env = {}): Promise<Ended> => {
    const argv = [main, 'images', ...args, '--config', cristal.configFile];
    const child = spawn(process.execPath, argv, { env: { ...process.env, DOCKER_CONFIG: dir, ...env } });
    // One that ends early takes no more input.
    child.stdin.on('error', () => {});
    if (input === null) child.stdin.end();
    else input.pipe(child.stdin);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    if (child.exitCode === null) await once(child, 'exit');
    return { code: child.exitCode, stdout, stderr };
  };
  const run = async (...args: string[]): Promise<Ended> => {
    const outcome = await tryTo(args);
    expect(outcome).toMatchObject({ code: 0 });
    return outcome;
  };
  const leases = async () => (await ctd.ctr('leases', 'ls', '-q')).split('\n').filter(Boolean);

  beforeAll(async () => {
    if (skip !== null) return;
    dir = ended.adopt(scratchDir('cli'), removeScratch);
    ctd = ended.use(await startContainerd({ version }));
    registry = ended.use(await startRegistry());
    const cni = createCni();
    ended.defer(() => cni.stop());
    const lines = ['[images]', `certs_dir = ${JSON.stringify(registry.certsDir)}`];
    lines.push(`pinned = [${JSON.stringify(`${registry.host}/keep/*`)}]`);
    cristal = ended.use(await startCristal({ containerd: ctd, cni, tables: lines }));
  });

  afterAll(() => ended.disposeAsync());

  describe.skipIf(skip !== null)('pull, ls, import and export', () => {
    test('images pull tells how it goes, line by line without a terminal; ls lists it', async () => {
      const image = await busyboxImage();
      const name = await push('cli/pulled', image);
      const kept = await push('keep/kept', await imageOf('kept'));
      await pull(kept);
      const { stdout, stderr } = await run('pull', name);
      expect(stdout).toBe(`${image.configDigest} ${name}\n`);
      expect(stderr).toMatch(/^127\.0\.0\.1:\d+\/cli\/pulled:1: \w+/);
      expect(await eventually(async () => (await status(name))?.id === image.configDigest)).toBe(true);
      const { stdout: table } = await run('ls');
      expect(table).toMatch(new RegExp(`^${name} +${image.configDigest.slice(7, 19)} +[\\d.]+ [kM]B$`, 'm'));
      expect(table).toMatch(/keep\/kept:1 .* pinned$/m);
      expect(await tryTo(['pull', `${registry.host}/cli/none:1`])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^cristal: .*answered 404$/m) as string,
      });
    });

    test('what images export writes, cristal and ctr read back', async () => {
      const mine = await busyboxImage({
        layers: [busyboxLayer(), { files: [{ path: 'which', data: 'exported' }], compression: 'zstd' }],
      });
      const foreign = await buildImage({ architecture: 's390x', layers: [] });
      const index = buildIndex([foreign, mine]);
      const name = await push('cli/export', index);
      const digest = `${registry.host}/cli/export@${index.target.digest}`;
      const small = await push('cli/small', await imageOf('small'));
      await pull(name);
      await pull(small);
      const path = join(dir, 'exported.tar');
      await run('export', name, small, path);
      const original = await status(name);
      await remove(name);
      await remove(small);

      await ctd.ctr('images', 'import', path);
      expect(await eventually(async () => (await status(small)) !== null)).toBe(true);
      expect(await eventually(async () => (await status(name))?.id === mine.configDigest)).toBe(true);
      expect(await ctd.ctr('run', '--rm', name, 'from-ctr', '/bin/cat', '/which')).toBe('exported');
      await remove(name);
      await remove(small);

      const { stdout } = await run('import', path);
      expect(stdout).toContain(`${mine.configDigest} ${name}\n`);
      expect(await eventually(async () => (await status(digest)) !== null)).toBe(true);
      expect(await status(name)).toEqual(original);
      expect(await ctd.ctr('run', '--rm', name, 'from-us', '/bin/cat', '/which')).toBe('exported');
      await remove(name);
      await remove(small);

      // What is left is the archive that docker load reads.
      execFileSync('tar', ['--delete', '-f', path, 'index.json', 'oci-layout']);
      expect((await run('import', path)).stdout).toContain(`${mine.configDigest} ${name}\n`);
      await remove(name);
      await remove(small);
    });

    test('a pull that is stopped lets go of what it held', async () => {
      const image = await imageOf('never comes');
      const server = createServer((request, response) => {
        if (request.url?.includes('/blobs/')) return; // answers never
        const headers = {
          'content-type': image.target.mediaType,
          'docker-content-digest': image.target.digest,
        };
        response.writeHead(200, headers).end(image.blobs.get(image.target.digest));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const before = await leases();
      const argv = [main, 'images', 'pull', `127.0.0.1:${port}/app`, '--config', cristal.configFile];
      const child = spawn(process.execPath, argv, { stdio: 'ignore' });
      expect(await eventually(async () => (await leases()).length > before.length)).toBe(true);
      child.kill('SIGTERM');
      expect(await once(child, 'exit')).toEqual([1, null]);
      expect(await leases()).toEqual(before);
      server.closeAllConnections();
      server.close();
    });

    test('an export that fails leaves no file', async () => {
      const before = readdirSync(dir);
      expect(await tryTo(['export', 'a.test/none:1', join(dir, 'no.tar')])).toEqual({
        code: 1,
        stdout: '',
        stderr: 'cristal: no image a.test/none:1\n',
      });
      expect(readdirSync(dir)).toEqual(before);
    });
  });

  describe.skipIf(skip !== null)('standard input and output', () => {
    test('an export to - is an import from -', async () => {
      const image = await imageOf('through a pipe');
      const name = await push('cli/pipe', image);
      await pull(name);
      const argv = [main, 'images', 'export', name, '-', '--config', cristal.configFile];
      const archive = execFileSync(process.execPath, argv);
      await remove(name);
      const { code, stdout } = await tryTo(['import', '-'], Readable.from([archive]));
      expect({ code, stdout }).toEqual({ code: 0, stdout: `${image.configDigest} ${name}\n` });
      expect(await eventually(async () => (await status(name))?.id === image.configDigest)).toBe(true);
    });

    test('what docker save writes, compressed by zstd, comes by - too', async () => {
      const path = join(dir, 'docker.tar');
      const layers = [{ files: [{ path: 'text', data: 'of docker' }] }];
      const image = await writeDockerArchive(path, ['docker.test/app:1'], { layers });
      const input = Readable.from([zstdCompressSync(readFileSync(path))]);
      const { stdout } = await tryTo(['import', '-'], input);
      expect(stdout).toBe(`${image.configDigest} docker.test/app:1\n`);
    });

    test.each([
      ['nothing', ''],
      ['no archive', 'x'.repeat(2_000)],
    ])('%s is refused', async (_, input) => {
      const { code, stderr } = await tryTo(['import', '-'], Readable.from([input]));
      expect(code).toBe(1);
      expect(stderr).toMatch(/^cristal: .*archive/);
    });

    test('no archive is written to a terminal', async () => {
      const name = await push('cli/tty', await imageOf('tty'));
      await pull(name);
      const shell = [process.execPath, main, 'images', 'export', name, '-', '--config', cristal.configFile];
      const child = spawn('script', ['-qefc', shell.join(' '), '/dev/null'], { stdio: 'pipe' });
      expect(await text(child.stdout)).toBe('cristal: an archive is not for a terminal\r\n');
    });
  });

  describe.skipIf(skip !== null)('--platform', () => {
    test('the names stand for the image of that platform, which can be exported', async () => {
      const [mine, other] = [await imageOf('mine'), await imageOf('other', 's390x')];
      const index = buildIndex([mine, other]);
      const name = await push('cli/platform', index);
      const { stdout } = await run('pull', name, '--platform', 'linux/s390x');
      expect(stdout).toBe(`${other.configDigest} ${name}\n`);
      expect(await eventually(async () => (await status(name))?.id === other.configDigest)).toBe(true);
      expect(await status(name)).toMatchObject({
        repoDigests: [`${registry.host}/cli/platform@${other.target.digest}`],
      });
      expect(await ctd.ctr('images', 'ls', `name==${name}`)).toContain(other.target.digest);

      const path = join(dir, 's390x.tar');
      await run('export', name, path);
      await remove(name);
      const imported = await tryTo(['import', '-'], createReadStream(path));
      expect(imported.stdout).toBe(`${other.configDigest} ${name}\n`);

      // The node's own pull takes the names back.
      await pull(name);
      expect(await status(name)).toMatchObject({ id: mine.configDigest });
    });

    test('an index without it is refused', async () => {
      const name = await push('cli/none', buildIndex([await imageOf('none', 's390x')]));
      const { code, stderr } = await tryTo(['pull', name, '--platform', 'linux/ppc64le']);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^cristal: .*no image for linux\/ppc64le: it offers linux\/s390x$/m);
    });

    test('an image without an index is for what its config says', async () => {
      const name = await push('cli/single', await imageOf('single', 's390x'));
      const before = await leases();
      const { code, stderr } = await tryTo(['pull', name, '--platform', 'linux/arm64']);
      expect(code).toBe(1);
      expect(stderr).toContain('no image for linux/arm64/v8: it is for linux/s390x');
      expect(await leases()).toEqual(before);
    });
  });

  describe.skipIf(skip !== null)('credentials', () => {
    test('come from standard input, the command line, or docker login', async () => {
      const image = await imageOf('guarded');
      using server = await guarded(image, [basic('u:Secret:Word'), basic('d:SecretDocker')]);
      const name = `${server.host}/app:1`;
      const done = { code: 0, stdout: `${image.configDigest} ${name}\n` };
      expect(await tryTo(['pull', name])).toMatchObject({ code: 1, stdout: '' });
      expect(await tryTo(['pull', name, '--creds', 'u:wrong'])).toMatchObject({ code: 1 });
      expect(await tryTo(['pull', name, '--creds', 'u:Secret:Word'])).toMatchObject(done);
      const input = Readable.from(['u:Secret:Word\n']);
      expect(await tryTo(['pull', name, '--creds-stdin'], input)).toMatchObject(done);

      const docker = join(dir, 'docker');
      mkdirSync(docker);
      const auths = { [server.host]: { auth: btoa('d:SecretDocker') } };
      writeFileSync(join(docker, 'config.json'), JSON.stringify({ auths }));
      expect(await tryTo(['pull', name], null, { DOCKER_CONFIG: docker })).toMatchObject(done);
    });

    test('a password is asked for, and not shown; without a terminal it is not', async () => {
      const image = await imageOf('asked');
      using server = await guarded(image, [basic('u:SecretWord')]);
      const name = `${server.host}/asked:1`;
      const argv = ['images', 'pull', name, '--creds', 'u', '--config', cristal.configFile];
      const shell = [process.execPath, main, ...argv].join(' ');
      const child = spawn('script', ['-qefc', shell, '/dev/null'], { stdio: 'pipe' });
      let shown = '';
      child.stdout.on('data', (chunk: Buffer) => {
        if (shown === '') child.stdin.write('SecretWorx\u007Fd\r');
        shown += chunk.toString();
      });
      expect(await once(child, 'exit')).toEqual([0, null]);
      expect(shown).toMatch(/^Password of u: \r\n/);
      expect(shown).toContain(image.configDigest);
      expect(shown).not.toContain('Secret');

      const { code, stderr } = await tryTo(['pull', name, '--creds', 'u']);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: 'cristal: there is no terminal to ask for the password; use --creds-stdin\n',
      });
    });

    test('control-C at the question ends it', async () => {
      const argv = ['images', 'pull', 'a.invalid/x', '--creds', 'u', '--config', cristal.configFile];
      const shell = [process.execPath, main, ...argv].join(' ');
      const child = spawn('script', ['-qefc', shell, '/dev/null'], { stdio: 'pipe' });
      child.stdout.once('data', () => child.stdin.write('half\u0003'));
      const [shown] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      expect(child.exitCode).toBe(1);
      expect(shown).toContain('no password was given');
    });
  });
});

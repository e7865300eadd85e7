// The quickstart proper, run by quickstart.sh: a private containerd and cristal, and a pod of two containers.
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { createCni } from '../test/fixtures/cni.ts';
import { startContainerd } from '../test/fixtures/containerd.ts';
import type { Crictl } from '../test/fixtures/crictl.ts';
import { createCrictl } from '../test/fixtures/crictl.ts';
import { startCristal } from '../test/fixtures/cristal.ts';
import { busyboxImage, writeOciArchive } from '../test/fixtures/images.ts';
import { eventually } from '../test/fixtures/processes.ts';
import { removeScratch, scratchDir } from '../test/fixtures/scratch.ts';
import { need, tools } from '../test/fixtures/tools.ts';

const IMAGE = 'cristal.local/busybox:1';
const { values: flags } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });

// With --keep a second process holds everything up, so that this one can hand the terminal back.
if (flags.keep && process.send === undefined) {
  const holder = fork(import.meta.filename, ['--keep'], { detached: true, silent: true });
  holder.stdout?.pipe(process.stdout);
  holder.stderr?.pipe(process.stderr);
  const [reason] = (await Promise.race([once(holder, 'message'), once(holder, 'exit')])) as [unknown];
  process.exit(reason === 'up' ? 0 : 1);
}

// A signal ends the show at its next stage, and what was started is taken down as after a full one.
let stopping = false;
let silent = false;
const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
void interrupted.then(() => (stopping = true));

try {
  await quickstart();
} catch (error) {
  say(`quickstart: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function quickstart(): Promise<void> {
  await using started = new AsyncDisposableStack();
  const version = tools.containerd['2.3'] === null ? '1.6' : '2.3';
  need(tools.crictl, 'crictl');
  process.env['CRISTAL_TEST_BUSYBOX'] ??= need(tools.busybox, 'busybox');
  const dir = started.adopt(scratchDir('quickstart'), removeScratch);

  title(`starting a containerd ${version} and a cristal of our own, beside what already runs`);
  const cni = started.use(createCni());
  const containerd = started.use(await startContainerd({ version }));
  const cristal = started.use(await startCristal({ containerd, cni }));
  say(`containerd  ${containerd.address}\ncristal     ${cristal.address}`);

  title('making a small image, without a registry');
  const archive = join(dir, 'busybox.tar');
  await writeOciArchive(archive, [{ name: IMAGE, image: await busyboxImage() }]);
  await importImage(archive, cristal.configFile);

  const crictl = createCrictl(cristal.address);
  const pod = await showPod(crictl, dir);
  if (flags.keep) await keep(cristal.address);
  say('\n== taking it down again');
  await show(crictl, 'stopp', pod);
  await show(crictl, 'rmp', pod);
  await started.disposeAsync();
  say('nothing of it is left');
}

async function importImage(archive: string, configFile: string): Promise<void> {
  const main = join(import.meta.dirname, '../src/start.ts');
  const args = ['images', 'import', archive, '--config', configFile];
  say(`$ cristal ${args.join(' ')}`);
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args]);
  say(stdout.trimEnd());
}

/** Runs a web server and its client in one pod, looks at them, and returns the pod's id. */
async function showPod(crictl: Crictl, dir: string): Promise<string> {
  title('one pod with two containers, which share a network');
  const podFile = join(dir, 'pod.json');
  const logs = join(dir, 'logs');
  mkdirSync(logs);
  const metadata = { name: 'hello', namespace: 'default', uid: 'quickstart', attempt: 0 };
  writeFileSync(podFile, JSON.stringify({ metadata, hostname: 'hello', log_directory: logs, linux: {} }));
  const pod = await show(crictl, 'runp', podFile);

  const run = async (name: string, script: string): Promise<string> => {
    const file = join(dir, `${name}.json`);
    // crictl knows the pod of a container by these labels, which the kubelet sets.
    const labels = { 'io.kubernetes.pod.name': 'hello', 'io.kubernetes.pod.namespace': 'default' };
    const config = { metadata: { name }, labels, image: { image: IMAGE }, command: ['sh', '-c', script] };
    writeFileSync(file, JSON.stringify({ ...config, log_path: `${name}.log`, linux: {} }));
    const id = await show(crictl, 'create', pod, file, podFile);
    await show(crictl, 'start', id);
    return id;
  };
  await run(
    'web',
    'mkdir /www; echo "hello from the other container" >/www/index.html; exec httpd -f -p 80 -h /www',
  );
  const client = await run(
    'client',
    'until wget -qO- http://127.0.0.1/; do sleep 0.1; done; exec sleep 3600',
  );

  title('looking at it');
  await show(crictl, 'pods');
  await show(crictl, 'ps');
  await eventually(async () => (await crictl.text('logs', client)).includes('hello'));
  await show(crictl, 'logs', client);
  await show(crictl, 'exec', '-s', client, 'hostname');
  return pod;
}

async function keep(endpoint: string): Promise<void> {
  say(`
It stays up. To use it:
  crictl -r unix://${endpoint} -i unix://${endpoint} ps     (crictl is ${tools.crictl})
To stop it and remove every trace:
  sudo kill ${process.pid}`);
  // The other process leaves now, and with it the terminal to write to.
  process.send?.('up', () => process.disconnect?.());
  silent = true;
  await interrupted;
}

/** Runs crictl as a user would, shows both command and answer, and shortens the ids in them. */
async function show(crictl: Crictl, ...args: string[]): Promise<string> {
  say(`$ crictl ${args.map(shorten).join(' ')}`);
  const output = await crictl.text(...args);
  say(shorten(output));
  return output;
}

function shorten(text: string): string {
  return text.replace(/(?<!sha256:)\b[0-9a-f]{64}\b/g, (id) => id.slice(0, 13));
}

function title(text: string): void {
  if (stopping) throw new Error('interrupted');
  say(`\n== ${text}`);
}

function say(text: string): void {
  if (!silent) process.stdout.write(`${text}\n`);
}

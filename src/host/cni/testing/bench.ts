import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pino } from 'pino';

import type { AttachRequest } from '../attachment.ts';
import type { Network } from '../network.ts';
import { createNetwork } from '../network.ts';

/** For tests: directories of our own, plugins that are shell scripts, and a network over them. */
export interface Bench extends AsyncDisposable {
  dir: string;
  confDir: string;
  binDir: string;
  cacheDir: string;
  /** Writes a plugin. Its script finds its input in $stdin and its verb in $CNI_COMMAND. */
  plugin(type: string, script: string): Promise<void>;
  /** Writes a configuration list named `net` of these plugins. */
  conflist(types: string[], fields?: Record<string, unknown>): Promise<void>;
  network(timeoutMs?: number): Promise<Network>;
  /** What the plugins were called with, in order. */
  calls(): Promise<Call[]>;
}

export interface Call {
  type: string;
  verb: string;
  env: Record<string, string>;
  stdin: Record<string, unknown>;
}

export async function createBench(): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), 'cristal-cni-'));
  const [confDir, binDir, cacheDir] = [join(dir, 'net.d'), join(dir, 'bin'), join(dir, 'cache')];
  const recorded = join(dir, 'calls');
  await Promise.all([confDir, binDir].map((path) => mkdir(path)));
  const networks: Network[] = [];
  return {
    dir,
    confDir,
    binDir,
    cacheDir,
    async plugin(type, script) {
      // One line for each call: a tab between the parts, as JSON holds none.
      const record = `printf '%s\\t%s\\t%s\\t%s\\n' '${type}' "$CNI_COMMAND" "$(env | grep ^CNI_ | base64 -w0)" "$stdin"`;
      await writeFile(join(binDir, type), `#!/bin/sh\nstdin=$(cat)\n${record} >> ${recorded}\n${script}\n`);
      await chmod(join(binDir, type), 0o755);
    },
    async conflist(types, fields = {}) {
      const plugins = types.map((type) => ({ type }));
      const text = JSON.stringify({ name: 'net', cniVersion: '1.1.0', plugins, ...fields });
      await writeFile(join(confDir, '10-net.conflist'), text);
    },
    async network(timeoutMs = 5000) {
      const log = pino({ enabled: false });
      const network = await createNetwork({
        confDir,
        otherDirs: [join(dir, 'other.d')],
        binDirs: [binDir],
        timeoutMs,
        cacheDir,
        log,
      });
      networks.push(network);
      return network;
    },
    calls: async () =>
      (await readFile(recorded, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(callFrom),
    async [Symbol.asyncDispose]() {
      for (const network of networks) await network[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function callFrom(line: string): Call {
  const [type = '', verb = '', env = '', stdin = ''] = line.split('\t');
  const pairs = Buffer.from(env, 'base64').toString('utf8').split('\n').filter(Boolean);
  return {
    type,
    verb,
    env: Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    ),
    stdin: JSON.parse(stdin) as Record<string, unknown>,
  };
}

/** A script that answers ADD with this address, and all else with nothing. */
export function answering(address: string): string {
  const result = { cniVersion: '1.0.0', ips: [{ address }] };
  return `[ "$CNI_COMMAND" != ADD ] || echo '${JSON.stringify(result)}'`;
}

export function attachRequest(id: string, fields: Partial<AttachRequest> = {}): AttachRequest {
  return {
    id,
    netns: '/proc/self/ns/net',
    pod: { name: 'web', namespace: 'shop', uid: 'u-1' },
    portMappings: [],
    annotations: {},
    dns: { servers: [], searches: [], options: [] },
    cgroupParent: '',
    confDir: '',
    ...fields,
  };
}

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProcess } from '../src/host/process.ts';
import type { PrivateCni } from '../test/fixtures/cni.ts';
import { MARK, tag } from '../test/fixtures/scratch.ts';

interface Plugin {
  readonly type: string;
}

/** A network's plugins, called one by one, for a network namespace of our own. */
export interface Plugins extends Disposable {
  /** In the order of an ADD. */
  readonly types: readonly string[];
  /** Runs one plugin as the CNI specification has it, and keeps its result for the next. */
  run(verb: 'ADD' | 'DEL', type: string, id: string): Promise<void>;
}

/** Disposing takes the namespace away, and with it the interface that a missing DEL has left. */
export function createPlugins({ confFile, binDirs }: PrivateCni): Plugins {
  const { cniVersion, name, plugins } = JSON.parse(readFileSync(confFile, 'utf8')) as {
    cniVersion: string;
    name: string;
    plugins: Plugin[];
  };
  const namespace = `${MARK}-floor-${tag()}`;
  execFileSync('ip', ['netns', 'add', namespace]);
  let result: unknown;
  return {
    types: plugins.map(({ type }) => type),
    async run(verb, type, id) {
      const plugin = plugins.find((one) => one.type === type);
      const env = {
        PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
        CNI_COMMAND: verb,
        CNI_CONTAINERID: id,
        CNI_NETNS: `/run/netns/${namespace}`,
        CNI_IFNAME: 'eth0',
        CNI_PATH: binDirs.join(':'),
      };
      const previous = result === undefined ? {} : { prevResult: result };
      const stdin = JSON.stringify({ cniVersion, name, ...plugin, ...previous });
      const ended = await runProcess({ file: join(binDirs[0] ?? '', type), env, stdin, timeoutMs: 30_000 });
      if (ended.code !== 0) throw new Error(`${type} ${verb}: ${ended.stdout.toString()}`);
      if (verb === 'ADD') result = JSON.parse(ended.stdout.toString());
    },
    [Symbol.dispose]: () => void execFileSync('ip', ['netns', 'delete', namespace]),
  };
}

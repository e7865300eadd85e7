import { posix } from 'node:path';
import type { KeyValue__Output } from '../gen/runtime/v1/KeyValue.ts';
import { Fault } from '../lib/fault.ts';
import type { ImageConfig } from '../lib/image-config.ts';
import type { SpecOption } from './build.ts';
import type { ResolvedUser } from './input.ts';

/** Where programs are looked for when neither image nor config says. */
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface Words {
  command: string[];
  args: string[];
}

/**
 * The words to run, as Kubernetes defines them: a command replaces the image's entrypoint and drops its cmd,
 * args alone replace only the cmd. Throws `invalid_argument` when that leaves nothing.
 */
export function processArgs({ command, args }: Words, image: ImageConfig): string[] {
  const head = command.length > 0 ? command : image.entrypoint;
  const tail = command.length > 0 || args.length > 0 ? args : image.cmd;
  const words = [...head, ...tail];
  if (words.length === 0) {
    throw new Fault('invalid_argument', 'no command: neither the config nor the image says what to run');
  }
  return words;
}

interface Environment {
  image: string[];
  config: readonly KeyValue__Output[];
  /** Empty: no HOSTNAME is set. */
  hostname: string;
  home: string;
  tty: boolean;
}

/** `NAME=value` each and every name once. Later sources win: our defaults, image, HOSTNAME, config. */
export function processEnv({ image, config, hostname, home, tty }: Environment): string[] {
  const env = [DEFAULT_PATH];
  if (tty) env.push('TERM=xterm');
  if (home !== '') env.push(`HOME=${home}`);
  env.push(...image);
  if (hostname !== '') env.push(`HOSTNAME=${hostname}`);
  env.push(...config.map(({ key, value }) => `${key}=${value.toString('utf8')}`));
  return lastWins(env);
}

/** The directory to start in, made absolute: the config's, the image's, or the root. */
export function processCwd(config: string, image: string): string {
  return posix.resolve('/', config || image);
}

export function withArgs(args: string[]): SpecOption {
  return ({ process }) => {
    process.args = args;
  };
}

export function withEnv(env: string[]): SpecOption {
  return ({ process }) => {
    process.env = lastWins([...process.env, ...env]);
  };
}

export function withCwd(cwd: string): SpecOption {
  return ({ process }) => {
    process.cwd = cwd;
  };
}

export function withTerminal(tty: boolean): SpecOption {
  return ({ process }) => {
    process.terminal = tty;
  };
}

export function withUser({ uid, gid, additionalGids }: ResolvedUser): SpecOption {
  return ({ process }) => {
    process.user = { uid, gid, additionalGids };
  };
}

export function withNoNewPrivileges(on: boolean): SpecOption {
  return ({ process }) => {
    process.noNewPrivileges = on;
  };
}

export function withReadonlyRootfs(on: boolean): SpecOption {
  return ({ root }) => {
    root.readonly = on;
  };
}

/** Every name once, with its last value, at the place of the first. */
export function lastWins(env: string[]): string[] {
  const byName = new Map(env.map((entry) => [entry.split('=', 1)[0], entry]));
  return [...byName.values()];
}

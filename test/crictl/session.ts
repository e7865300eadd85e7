import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { eventually } from '../fixtures/processes.ts';
import { need, tools } from '../fixtures/tools.ts';

/** How a session was left: `code` is null after a signal. */
export interface SessionEnd {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** crictl at work, with its three streams in our hands. Disposing kills it. */
export interface Session extends AsyncDisposable {
  stdin: Writable;
  stdout(): string;
  stderr(): string;
  /** True as soon as the output has it. */
  shows(text: string | RegExp): Promise<boolean>;
  /** SIGINT, as control-C gives it. */
  interrupt(): void;
  /** SIGKILL: the client vanishes without a word. */
  kill(): void;
  ended: Promise<SessionEnd>;
}

/** Starts crictl against the CRI server at this socket. Not for a terminal; see `startTerminal`. */
export function startSession(address: string, ...args: string[]): Session {
  return start(command(address, args));
}

/** A session on a pseudo-terminal, where stdout has all that it shows. */
export interface Terminal extends Session {
  /** Changes the terminal's size under the running session. */
  resize(rows: number, columns: number): void;
}

/**
 * Starts crictl on a pseudo-terminal of this size, which script(1) makes. `dir` takes a file with the
 * terminal's name.
 */
export async function startTerminal(
  { address, dir, rows, columns }: { address: string; dir: string; rows: number; columns: number },
  ...args: string[]
): Promise<Terminal> {
  const file = join(dir, 'tty');
  const crictl = command(address, args).map(quoted).join(' ');
  const line = `stty rows ${rows} cols ${columns}; tty >${quoted(file)}; exec ${crictl}`;
  const session = start(['script', '-qefc', line, '/dev/null']);
  const tty = (): string => {
    try {
      return readFileSync(file, 'utf8').trim();
    } catch {
      return ''; // not written yet
    }
  };
  if (!(await eventually(() => tty() !== ''))) throw new Error(`no terminal: ${session.stdout()}`);
  const name = tty();
  const resize = (height: number, width: number): void =>
    void execFileSync('stty', ['-F', name, 'rows', `${height}`, 'cols', `${width}`]);
  return { ...session, resize };
}

function command(address: string, args: string[]): string[] {
  const endpoint = `unix://${address}`;
  return [need(tools.crictl, 'crictl'), '--config', '/dev/null', '-r', endpoint, '-i', endpoint, ...args];
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function start([program = '', ...args]: string[]): Session {
  const child = spawn(program, args);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {}); // it may end before it has read all
  const stdout = (): string => Buffer.concat(out).toString();
  const stderr = (): string => Buffer.concat(err).toString();
  const { promise: ended, resolve, reject } = Promise.withResolvers<SessionEnd>();
  child.once('error', reject);
  child.once('close', (code) => resolve({ code, stdout: stdout(), stderr: stderr() }));
  return {
    stdin: child.stdin,
    stdout,
    stderr,
    ended,
    shows: async (text) =>
      await eventually(() => (typeof text === 'string' ? stdout().includes(text) : text.test(stdout()))),
    interrupt: () => void child.kill('SIGINT'),
    kill: () => void child.kill('SIGKILL'),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

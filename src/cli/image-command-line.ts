import type { Platform } from '../image/platform.ts';
import { parsePlatform } from '../image/platform.ts';
import { messageOf } from '../lib/fault.ts';

/** Options as `parseArgs` gives them. */
export type Given = Record<string, string | string[] | boolean | undefined>;

/** Who pulls: with a password, one that is to be asked for, or both to be read from standard input. */
export type Login = { username: string; password: string | null } | 'stdin';

/** What `cristal images …` is to do. */
export type ImageWish =
  /** An archive to load straight into containerd, without the daemon; `-` is standard input. */
  | { kind: 'import'; path: string }
  /** `-` is standard output. */
  | { kind: 'export'; references: string[]; path: string }
  /** An image to fetch straight into containerd; for this machine if `platform` is null. */
  | { kind: 'pull'; reference: string; platform: Platform | null; login: Login | null }
  | { kind: 'list' };

/** Reads `cristal images VERB …`. A string says what is wrong with it. */
export function parseImageWish(given: Given, verb: string, operands: string[]): ImageWish | string {
  const [first] = operands;
  const last = operands.at(-1);
  switch (verb) {
    case 'pull':
      if (first === undefined || operands.length > 1) return 'images pull takes one REFERENCE';
      return pullWish(given, first);
    case 'import':
      if (first === undefined || operands.length > 1) return 'images import takes one FILE';
      return { kind: 'import', path: first };
    case 'export': {
      const references = operands.slice(0, -1);
      if (last === undefined || references.length === 0) {
        return 'images export takes one REFERENCE or more, and a FILE';
      }
      return { kind: 'export', references, path: last };
    }
    case 'ls':
      return operands.length > 0 ? 'images ls takes no argument' : { kind: 'list' };
    default:
      return `no such command: ${['images', verb, ...operands].join(' ').trimEnd()}`;
  }
}

/** Options of `images pull`, in the order of the help page. */
export const pullOptions = [
  {
    name: 'platform',
    takes: 'OS/ARCH[/VARIANT]',
    doc: 'Pull the image for another platform. Its names then stand for that image alone.',
  },
  {
    name: 'creds',
    takes: 'USER[:PASSWORD]',
    doc: 'Log in to the registry; a password that is not given is asked for. Others on the machine can see the arguments of a command.',
  },
  { name: 'creds-stdin', takes: '', doc: 'Log in with the USER:PASSWORD that standard input has.' },
] as const;

function pullWish(given: Given, reference: string): ImageWish | string {
  const { platform, creds } = given;
  const fromInput = given['creds-stdin'] === true;
  if (fromInput && creds !== undefined) return '--creds and --creds-stdin exclude each other';
  const login = fromInput ? 'stdin' : typeof creds === 'string' ? parseLogin(creds) : null;
  if (login !== 'stdin' && login?.username === '') return '--creds has no user name';
  try {
    const wanted = typeof platform === 'string' ? parsePlatform(platform) : null;
    return { kind: 'pull', reference, platform: wanted, login };
  } catch (error) {
    return `--platform: ${messageOf(error)}`;
  }
}

/** `USER:PASSWORD`, where a password may have colons and a user name has none. */
export function parseLogin(text: string): { username: string; password: string | null } {
  const colon = text.indexOf(':');
  if (colon === -1) return { username: text, password: null };
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

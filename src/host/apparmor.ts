import { during, Fault } from '../lib/fault.ts';
import { exists, readText } from './files.ts';
import { runProcess } from './process.ts';

export const APPARMOR_FS = '/sys/kernel/security/apparmor';
export const APPARMOR_PARSER = '/sbin/apparmor_parser';

/** Where things are; other places are for tests. */
interface ApparmorPlaces {
  /** The kernel's own directory, which lists the loaded profiles. */
  fs: string;
  parser: string;
  /** Directory of the profiles that others are built on. */
  includes: string;
}

const PLACES: ApparmorPlaces = { fs: APPARMOR_FS, parser: APPARMOR_PARSER, includes: '/etc/apparmor.d' };

/** The parser compiles a profile in less than a second; a small machine that is busy may need more. */
const PARSER_MS = 30_000;

/** The profiles in the kernel. */
export class Apparmor {
  readonly #places: ApparmorPlaces;
  readonly #loading = new Map<string, Promise<void>>();

  constructor(places: Partial<ApparmorPlaces> = {}) {
    this.#places = { ...PLACES, ...places };
  }

  /** Whether a profile of this name is in the kernel. */
  async isLoaded(name: string): Promise<boolean> {
    const list = (await readText(`${this.#places.fs}/profiles`)) ?? '';
    // A line is the name and the mode: "cristal-default (enforce)".
    return list.split('\n').some((line) => line.replace(/ \([a-z]+\)$/, '') === name && line !== name);
  }

  /** Which of the files that a profile may include are here. */
  async includes(): Promise<{ abi: boolean; tunables: boolean; base: boolean }> {
    const [abi = false, tunables = false, base = false] = await Promise.all(
      ['abi/3.0', 'tunables/global', 'abstractions/base'].map((name) =>
        exists(`${this.#places.includes}/${name}`),
      ),
    );
    return { abi, tunables, base };
  }

  /**
   * Loads a profile unless one of its name is in the kernel. Callers at the same time share one run of the parser.
   * @param text makes the profile, in apparmor.d(5)'s language. Throws `failed_precondition` with the parser's words.
   */
  async ensure(name: string, text: () => Promise<string>): Promise<void> {
    if (await this.isLoaded(name)) return;
    const loading = this.#loading.get(name) ?? this.#load(text).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    try {
      await loading;
    } catch (error) {
      throw during(`load AppArmor profile ${name}`, error);
    }
  }

  async #load(text: () => Promise<string>): Promise<void> {
    const { parser } = this.#places;
    // Not from its cache, nor into it: the text is nobody's file.
    const { code, stderr } = await runProcess({
      file: parser,
      args: ['-Kr'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdin: await text(),
      timeoutMs: PARSER_MS,
    });
    if (code !== 0) {
      throw new Fault(
        'failed_precondition',
        `${parser} ended with ${code}: ${stderr.toString('utf8').trim()}`,
      );
    }
  }
}

/** The profile that this process runs under, without its mode. */
export async function ownApparmorProfile(): Promise<string> {
  // The second is that of whichever guard came first, on kernels that know but one.
  const files = ['/proc/self/attr/apparmor/current', '/proc/self/attr/current'];
  const texts = await Promise.all(files.map((file) => readText(file).catch(() => null)));
  const label = texts.find((text) => text !== null) ?? '';
  return label.replace(/[\s\0].*$/s, '') || 'unconfined';
}

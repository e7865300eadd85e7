import pkg from '../../package.json' with { type: 'json' };
import { flags } from '../config/flags.ts';
import { DEFAULT_CONFIG_FILE } from '../config/read.ts';
import { wrap } from '../config/wrap.ts';
import { doctorOptions } from './doctor-command.ts';
import { pullOptions } from './image-command-line.ts';
import { traceOptions } from './trace-command-line.ts';

const WIDTH = 100;
/** Where the right column begins. */
const INDENT = 36;

/** The page of `cristal --help`. The options come from the settings table, so they cannot fall behind it. */
export function helpText(): string {
  return [
    'cristal: Kubernetes pods (CRI v1) over an existing containerd.',
    '',
    'Usage:',
    entry('cristal [OPTIONS]', 'Run the daemon in the foreground.'),
    entry('cristal config default', 'Print the default settings as TOML, every key explained.'),
    entry('cristal config check FILE', 'Say what is wrong in FILE and where; exits 1 if anything is.'),
    entry('cristal images ls', 'List the images that containerd has.'),
    entry('cristal images pull REF', 'Pull an image into containerd, and show how it goes; needs no daemon.'),
    entry(
      'cristal images import FILE',
      'Load an image archive into containerd; needs no daemon and no registry.',
    ),
    entry('cristal images export REF... FILE', 'Save images as an archive, which docker and ctr read too.'),
    ' '.repeat(INDENT) + 'For FILE, - is standard input or output.',
    entry('cristal trace', 'List the latest calls of the running daemon, and the slowest of each kind.'),
    entry('cristal trace ID', 'Show where the time of a call went, stage by stage.'),
    entry('cristal doctor', 'Say what pods left behind, and what living ones lack; exits 1 if there is any.'),
    '',
    'Options of images pull:',
    ...pullOptions.map(({ name, takes, doc }) => entry(`--${name} ${takes}`.trimEnd(), doc)),
    '',
    'Options of trace:',
    ...traceOptions.map(({ name, takes, doc }) => entry(`--${name} ${takes}`.trimEnd(), doc)),
    '',
    'Options of doctor:',
    ...doctorOptions.map(({ name, doc }) => entry(`--${name}`, doc)),
    entry('--json', 'The findings for programs.'),
    '',
    'Options, which outrank the file:',
    entry('--config FILE', `Read settings from FILE. Default: ${DEFAULT_CONFIG_FILE}, if it is there.`),
    ...flags.map(({ name, takes, repeated, doc }) =>
      entry(`--${name} ${takes}`, repeated ? `${doc} May be repeated.` : doc),
    ),
    entry('--help', 'Print this page.'),
    entry('--version', 'Print the versions of cristal and of Node.js.'),
    '',
    'Log lines go to stderr: for people on a terminal, JSON otherwise. SIGTERM lets running calls end,',
    'then exits; containers go on running. Settings are explained in docs/configuration.md.',
    '',
  ].join('\n');
}

export function versionText(): string {
  return `cristal ${pkg.version} (node ${process.versions.node})\n`;
}

function entry(left: string, doc: string): string {
  const [first = '', ...more] = wrap(doc, WIDTH - INDENT);
  const start = `  ${left}`.padEnd(INDENT - 1);
  return [`${start} ${first}`, ...more.map((line) => ' '.repeat(INDENT) + line)].join('\n');
}

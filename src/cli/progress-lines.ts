import type { LayerState, PullState } from '../registry/progress.ts';
import { formatBytes } from './format-bytes.ts';

const BAR = 24;

const PHASES: Record<PullState['phase'], string> = {
  resolve: 'resolving',
  verify: 'verifying',
  fetch: 'pulling',
  record: 'recording',
};

const LAYER_PHASES: Record<LayerState['phase'], string> = {
  wait: 'waiting',
  fetch: 'fetching',
  fetched: 'fetched',
  unpack: 'unpacking',
  done: 'done',
};

/** What a terminal shows of a pull: one line in all, and one with a bar for each layer, as far as there is room. */
export function progressScreen(
  state: PullState,
  { columns, rows }: { columns: number; rows: number },
): string[] {
  // The config is a blob too, but nothing to wait for.
  const layers = state.layers.slice(1);
  const room = Math.max(1, rows - 2);
  // What is done has the least to tell.
  const told = layers.length <= room ? layers : layers.filter(({ phase }) => phase !== 'done');
  const shown = told.slice(0, room - 1 || 1);
  const all = layers.length <= room ? layers : shown;
  const hidden = layers.length - all.length;
  const rest = hidden === 0 ? [] : [`  and ${hidden} more`];
  return [summary(state), ...all.map(layerLine), ...rest].map((line) => line.slice(0, columns - 1));
}

/** `example.test/app:1: pulling, 12.3 MB of 45.6 MB, 8.1 MB/s, 3/5 layers` */
export function summary({ name, phase, layers, offset, total, rate }: PullState): string {
  const own = layers.slice(1);
  const done = own.filter((layer) => layer.phase === 'done').length;
  const numbers =
    total === 0
      ? []
      : [
          `${formatBytes(offset)} of ${formatBytes(total)}`,
          ...(rate === 0 ? [] : [`${formatBytes(rate)}/s`]),
          `${done}/${own.length} layers`,
        ];
  return `${name}: ${[PHASES[phase], ...numbers].join(', ')}`;
}

function layerLine({ digest, phase, offset, total }: LayerState): string {
  const filled = total === 0 ? BAR : Math.floor((offset / total) * BAR);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}`;
  const size = phase === 'fetch' ? `${formatBytes(offset)} of ${formatBytes(total)}` : formatBytes(total);
  return `  ${shortDigest(digest)} ${bar} ${LAYER_PHASES[phase].padEnd(9)} ${size}`;
}

/** What is new since the last look, for where lines cannot be written over. `before` is null at first. */
export function progressNews(before: PullState | null, now: PullState): string[] {
  const known = new Map(before?.layers.map(({ digest, phase }) => [digest, phase]));
  const layers = now.layers
    .slice(1)
    .filter(({ digest, phase }) => known.get(digest) !== phase && (phase === 'fetched' || phase === 'done'))
    .map(
      ({ digest, phase, total }) =>
        `${now.name}: layer ${shortDigest(digest)} ${LAYER_PHASES[phase]}, ${formatBytes(total)}`,
    );
  const isNewPhase = before?.phase !== now.phase || (before.total === 0 && now.total > 0);
  return [...(isNewPhase ? [summary(now)] : []), ...layers];
}

function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

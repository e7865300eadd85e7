/*
 * What a running pull tells of itself. The pull engine reports by `PullObserver` (called from pull.ts for
 * phases, fetch-blob.ts for bytes, unpack.ts for layers that are unpacked); everybody else reads `PullState`.
 */

/** Where a pull is as a whole. Unpacking goes on while other layers are fetched. */
export type PullPhase = 'resolve' | 'verify' | 'fetch' | 'record';

/** Where one layer is. */
export type LayerPhase = 'wait' | 'fetch' | 'fetched' | 'unpack' | 'done';

/** Calls are cheap and never throw. */
export interface PullObserver {
  phase(phase: PullPhase): void;
  /** The blobs of the image, once its manifest is known: first the config, then the layers, lowest first. */
  blobs(blobs: readonly { digest: string; size: number }[]): void;
  /** How much of a blob is there, in bytes. A blob that containerd had is there as a whole at once. */
  layer(digest: string, at: { offset: number; total: number }): void;
  /** A layer's own phases that bytes do not tell. */
  layerPhase(digest: string, phase: 'unpack' | 'done'): void;
}

/** A look at a pull. */
export interface PullState {
  /** The full form of the reference. */
  name: string;
  phase: PullPhase;
  layers: LayerState[];
  /** Bytes that are there, and in all. */
  offset: number;
  total: number;
  /** Bytes that this pull has downloaded itself, and how many of them a second over the last ten seconds. */
  downloaded: number;
  rate: number;
  /** Milliseconds since it started. */
  ms: number;
}

export interface LayerState {
  digest: string;
  phase: LayerPhase;
  offset: number;
  total: number;
}

/** Gathers what the engine reports. */
export interface PullProgress extends PullObserver {
  state(): PullState;
}

/** The rate is measured over this time, in milliseconds. */
const RATE_WINDOW_MS = 10_000;

/** Samples of the downloaded bytes are at least this far apart, in milliseconds. */
const SAMPLE_MS = 200;

/** `now` in milliseconds, from any start. */
export function createPullProgress(name: string, now: () => number = () => performance.now()): PullProgress {
  const start = now();
  const layers = new Map<string, LayerState>();
  const samples = [{ at: start, bytes: 0 }];
  let phase: PullPhase = 'resolve';
  let downloaded = 0;

  const sample = () => {
    const at = now();
    if (at - (samples.at(-1)?.at ?? 0) >= SAMPLE_MS) samples.push({ at, bytes: downloaded });
    while (samples.length > 2 && at - (samples[1]?.at ?? at) >= RATE_WINDOW_MS) samples.shift();
  };
  const rate = () => {
    const [first] = samples;
    const ms = now() - (first?.at ?? 0);
    return ms <= 0 ? 0 : Math.round(((downloaded - (first?.bytes ?? 0)) * 1000) / ms);
  };

  return {
    phase(next) {
      phase = next;
    },
    blobs(blobs) {
      for (const { digest, size } of blobs) {
        if (!layers.has(digest)) layers.set(digest, { digest, phase: 'wait', offset: 0, total: size });
      }
    },
    layer(digest, { offset, total }) {
      const layer = layers.get(digest);
      // What the first report finds was there before, and the download of nobody.
      if (layer !== undefined && layer.phase !== 'wait') downloaded += Math.max(0, offset - layer.offset);
      sample();
      const isUnpacked = layer?.phase === 'unpack' || layer?.phase === 'done';
      const next = offset < total ? 'fetch' : 'fetched';
      // An image may have the same layer twice.
      layers.set(digest, { digest, offset, total, phase: isUnpacked ? layer.phase : next });
    },
    layerPhase(digest, next) {
      const layer = layers.get(digest);
      if (layer !== undefined) layers.set(digest, { ...layer, phase: next });
    },
    state() {
      sample();
      const all = [...layers.values()];
      return {
        name,
        phase,
        layers: all,
        offset: all.reduce((sum, layer) => sum + layer.offset, 0),
        total: all.reduce((sum, layer) => sum + layer.total, 0),
        downloaded,
        rate: rate(),
        ms: Math.round(now() - start),
      };
    },
  };
}

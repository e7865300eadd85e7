/** The downloads of an image's layers, each of which begins once. */
export interface Arrivals {
  /** Begins the downloads of this layer and of all above it. */
  begin(from: number): void;
  /** Resolves when the layer is there, and begins what has not begun yet. */
  layer(place: number): Promise<void>;
  /** Resolves when no download runs any more, however they ended. */
  idle(): Promise<void>;
}

/** `fetch` has to remember its failure: who waits for another layer does not learn of it from here. */
export function createArrivals<L>(layers: readonly L[], fetch: (layer: L) => Promise<unknown>): Arrivals {
  const begun: Promise<unknown>[] = [];
  const begin = (from: number) => {
    for (const [place, layer] of layers.entries()) {
      if (place < from || begun[place] !== undefined) continue;
      const download = fetch(layer);
      download.catch(() => {});
      begun[place] = download;
    }
  };
  return {
    begin,
    async layer(place) {
      begin(place);
      await begun[place];
    },
    async idle() {
      await Promise.allSettled(begun);
    },
  };
}

import type { Scene } from '../scene.ts';
import { floor } from './floor.ts';
import { growth } from './growth.ts';
import { logs } from './logs.ts';
import { manyPods } from './many-pods.ts';
import { onePod } from './one-pod.ts';
import { pulls } from './pulls.ts';
import { stats } from './stats.ts';
import { streams } from './streams.ts';
import { tenPods } from './ten-pods.ts';

/** In the order in which they are played and shown. */
export const scenes: readonly Scene[] = [
  onePod,
  floor,
  tenPods,
  logs,
  manyPods,
  stats,
  streams,
  pulls,
  growth,
];

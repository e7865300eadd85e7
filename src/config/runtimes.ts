import { Fault } from '../lib/fault.ts';
import type { Config, RuntimeHandler } from './schema.ts';

/** A runtime handler with the name that pods choose it by. */
export interface NamedRuntime extends RuntimeHandler {
  readonly name: string;
}

/**
 * The handler that a pod names; empty is the default one.
 * @throws Fault invalid_argument, listing what there is.
 */
export function runtimeNamed(
  config: Pick<Config, 'runtimes' | 'defaultRuntime'>,
  asked: string,
): NamedRuntime {
  const name = asked === '' ? config.defaultRuntime : asked;
  const handler = Object.hasOwn(config.runtimes, name) ? config.runtimes[name] : undefined;
  if (!handler) {
    const known = Object.keys(config.runtimes).join(', ');
    throw new Fault('invalid_argument', `no runtime handler "${name}" is configured; there is: ${known}`);
  }
  return { ...handler, name };
}

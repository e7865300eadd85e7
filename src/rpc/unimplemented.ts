import type { Call } from '../lib/call.ts';
import { Fault } from '../lib/fault.ts';

/** For RPCs that this version does not serve. */
export function unimplemented(_request: unknown, { rpc }: Call): never {
  throw new Fault('unimplemented', `${rpc} is not served by this version of cristal`);
}

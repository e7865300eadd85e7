import { isCode } from '../lib/fault.ts';
import type { CallOptions, Connection } from './connection.ts';
import { api } from './proto.ts';

export type Namespaces = ReturnType<typeof createNamespaces>;

const service = api['containerd.services.namespaces.v1.Namespaces'];

export function createNamespaces(connection: Connection) {
  return {
    /** Makes the namespace unless it is there. */
    async ensure(name: string, options?: CallOptions): Promise<void> {
      try {
        await connection.unary(service.Create, { namespace: { name } }, options);
      } catch (error) {
        if (!isCode(error, 'already_exists')) throw error;
      }
    },
  };
}

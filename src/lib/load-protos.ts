import path from 'node:path';
import type { PackageDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';

const protoDir = path.join(import.meta.dirname, '..', '..', 'proto');

/**
 * Reads `.proto` files, named relative to `proto/`. The options must stay those of
 * scripts/generate.sh, or the generated types would describe other values than we meet.
 */
export function loadProtos(files: string[]): PackageDefinition {
  return loadSync(files, {
    includeDirs: [protoDir],
    keepCase: false,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
}

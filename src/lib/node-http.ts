/**
 * Node's HTTP, by a way that takes 20 MiB less than `import`: that reads every export of a module, and one
 * of `node:http` is a getter that loads fetch, WebSocket and HTTP/2 (docs/performance.md).
 */
export const {
  Agent: HttpAgent,
  createServer,
  request: requestHttp,
  STATUS_CODES,
} = process.getBuiltinModule('node:http');

export type HttpAgent = InstanceType<typeof HttpAgent>;

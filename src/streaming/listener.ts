import { once } from 'node:events';
import type { Server, ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { isIPv6 } from 'node:net';
import type { Config } from '../config/schema.ts';
import { readText } from '../host/files.ts';
import { during, Fault } from '../lib/fault.ts';
import { createServer } from '../lib/node-http.ts';
import { generateCertificate } from './certificate.ts';

/** A client sends a line and a few headers: it has no reason to take longer, or to send more. */
const HTTP: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
};

export interface Listener {
  readonly http: Server;
  /** Scheme, host and port, without a slash at the end. */
  readonly baseUrl: string;
}

/** Binds the address. Throws `unavailable` if that is not possible. */
export async function openListener(config: Config['streaming']): Promise<Listener> {
  const tls = await tlsOptions(config);
  const http = tls === null ? createServer(HTTP) : createTlsServer({ ...HTTP, ...tls });
  http.listen(config.port, config.address);
  try {
    await once(http, 'listening');
  } catch (error) {
    throw during(
      `serve streaming sessions on port ${config.port} of ${config.address}`,
      error,
      'unavailable',
    );
  }
  const { port } = http.address() as AddressInfo;
  return { http, baseUrl: `${tls === null ? 'http' : 'https'}://${urlHost(config.address)}:${port}` };
}

/** Whoever is sent the URL is on this machine: for all addresses, loopback stands. */
function urlHost(address: string): string {
  if (!isIPv6(address)) return address === '0.0.0.0' ? '127.0.0.1' : address;
  return address === '::' ? '[::1]' : `[${address}]`;
}

async function tlsOptions(config: Config['streaming']) {
  if (config.tls === 'off') return null;
  const pair =
    config.tls === 'generated'
      ? generateCertificate(config.address)
      : { cert: await readPem(config.tlsCertFile), key: await readPem(config.tlsKeyFile) };
  if (config.clientCaFile === '') return pair;
  return { ...pair, ca: await readPem(config.clientCaFile), requestCert: true, rejectUnauthorized: true };
}

async function readPem(path: string): Promise<string> {
  const text = await readText(path);
  if (text === null) throw new Fault('failed_precondition', `read ${path}: no such file`);
  return text;
}

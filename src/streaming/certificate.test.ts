import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { generateCertificate } from './certificate.ts';

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['10.255.0.3', '10.255.0.3'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['2001:db8::ff00:42:8329', '2001:DB8:0:0:0:FF00:42:8329'],
  ['::ffff:192.0.2.1', '0:0:0:0:0:FFFF:C000:201'],
  ['fe80::1%eth0', 'FE80:0:0:0:0:0:0:1'],
])('a certificate for %s is its own issuer and names the address', (address, shown) => {
  const certificate = new X509Certificate(generateCertificate(address).cert);
  expect(certificate.subject).toBe('CN=cristal streaming');
  expect(certificate.subjectAltName).toBe(`IP Address:${shown}`);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkIP(address.replace(/%.*/, ''))).toBeTruthy();
});

test('it is valid from an hour ago for ten years', () => {
  const now = Date.UTC(2049, 11, 31, 23, 30);
  const { validFromDate, validToDate } = new X509Certificate(generateCertificate('::1', now).cert);
  expect(validFromDate.getTime()).toBe(now - 3_600_000);
  expect(validToDate.getTime()).toBe(now + 10 * 365 * 86_400_000);
});

test('a client that trusts it can connect', async () => {
  const { cert, key } = generateCertificate('127.0.0.1');
  const server = tls.createServer({ cert, key }, (socket) => socket.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ca: cert });
  const [data] = (await once(client, 'data')) as [Buffer];
  expect(data.toString()).toBe('hello');
  expect(client.authorized).toBe(true);
  client.destroy();
  server.close();
});

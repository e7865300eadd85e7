import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIPv6 } from 'node:net';

/** Ten years: it is made anew at every start. */
const LIFETIME_MS = 10 * 365 * 24 * 3600 * 1000;

/** For clocks that are behind ours. */
const BACKDATED_MS = 3600 * 1000;

const COMMON_NAME = 'cristal streaming';

// Object identifiers (RFC 5280, RFC 5758), as DER writes them.
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const ID_COMMON_NAME = Buffer.from('0603550403', 'hex');
const ID_SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex');

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const CONTEXT_0 = 0xa0;
const CONTEXT_3 = 0xa3;
const IP_ADDRESS_NAME = 0x87;

/** A certificate and its private key, in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed X.509 certificate for one IP address, on a new P-256 key. */
export function generateCertificate(address: string, now = Date.now()): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, ECDSA_WITH_SHA256);
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, ID_COMMON_NAME, der(UTF8_STRING, Buffer.from(COMMON_NAME)))),
  );
  const altName = der(SEQUENCE, der(IP_ADDRESS_NAME, addressBytes(address)));
  const body = der(
    SEQUENCE,
    der(CONTEXT_0, der(INTEGER, Buffer.from([2]))), // version 3
    der(INTEGER, Buffer.concat([Buffer.from([1]), randomBytes(15)])), // positive, whatever follows
    algorithm,
    name,
    der(SEQUENCE, time(now - BACKDATED_MS), time(now + LIFETIME_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(CONTEXT_3, der(SEQUENCE, der(SEQUENCE, ID_SUBJECT_ALT_NAME, der(OCTET_STRING, altName)))),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]); // no unused bits
  const certificate = der(SEQUENCE, body, algorithm, der(BIT_STRING, signature));
  const lines = certificate.toString('base64').replaceAll(/.{1,64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

/** One DER value: tag, length, content (X.690, 8.1). Nothing here reaches 64 KiB. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}

/** Through 2049 with a year of two digits, and from then on with all four (RFC 5280, 4.1.2.5). */
function time(ms: number): Buffer {
  const date = new Date(ms);
  const digits = date.toISOString().replaceAll(/\.\d+|[-:T]/g, '');
  return date.getUTCFullYear() < 2050
    ? der(UTC_TIME, Buffer.from(digits.slice(2)))
    : der(GENERALIZED_TIME, Buffer.from(digits));
}

/** Four bytes, or sixteen. */
function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  // The URL parser writes an address in its one canonical form, all in hexadecimal.
  const canonical = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1);
  const [head = [], tail = []] = canonical.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  return Buffer.from([...head, ...zeros, ...tail].map((word) => word.padStart(4, '0')).join(''), 'hex');
}

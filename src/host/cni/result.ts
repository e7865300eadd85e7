import { during, Fault } from '../../lib/fault.ts';
import type { JsonObject } from './json-object.ts';
import { isJsonObject } from './json-object.ts';
import { isAtLeast, speaksVersion } from './version.ts';

/** What a plugin's ADD answered, read alike for every version of the specification. */
export interface CniResult {
  readonly ips: readonly { address: string; interface: number | null }[];
  readonly interfaces: readonly { name: string; sandbox: string }[];
  /** The answer itself, always with a `cniVersion`. */
  readonly raw: JsonObject;
}

/**
 * Reads the answer of a plugin that was called with `asked` as version: an answer that does not say
 * its own version is taken to be of that one. Throws `internal` on anything that is no result.
 */
export function parseResult(text: string, asked: string): CniResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw during('the result is not JSON', error);
  }
  if (!isJsonObject(value)) throw new Fault('internal', 'the result is not a JSON object');
  const { cniVersion } = value;
  const version = typeof cniVersion === 'string' && cniVersion !== '' ? cniVersion : asked;
  if (!speaksVersion(version))
    throw new Fault('internal', `the result has the unknown cniVersion ${version}`);
  return readResult({ ...value, cniVersion: version });
}

/** Reads a result that `parseResult` took before, from our records. */
export function readResult(raw: JsonObject): CniResult {
  const interfaces = objects(raw.interfaces).map(({ name, sandbox }) => ({
    name: textOf(name),
    sandbox: textOf(sandbox),
  }));
  const ips = ipsOf(raw).map((ip) => ({
    address: textOf(ip.address),
    interface: typeof ip.interface === 'number' ? ip.interface : null,
  }));
  if (ips.some(({ address }) => address === ''))
    throw new Fault('internal', 'the result has an IP without address');
  return { ips, interfaces, raw };
}

/** The same result in the form of another version: plugins of a chain may answer in their own. */
export function resultAsVersion(raw: JsonObject, version: string): JsonObject {
  if (raw.cniVersion === version) return raw;
  const { ip4: _ip4, ip6: _ip6, ips: _ips, ...rest } = raw;
  if (!isAtLeast(version, '0.3.0')) return { ...rest, ...ipsByFamily(raw), cniVersion: version };
  const withFamily = !isAtLeast(version, '1.0.0');
  const ips = ipsOf(raw).map(({ version: _version, ...ip }) =>
    withFamily ? { version: isIpv6(textOf(ip.address)) ? '6' : '4', ...ip } : ip,
  );
  return { ...rest, cniVersion: version, ips };
}

/**
 * The pod's addresses, without prefix length and in the plugin's order: those of the interface
 * `ifName`, or else of any interface inside the pod, or else all of them.
 */
export function podIps(result: CniResult, ifName: string): string[] {
  const inside = result.ips.filter((ip) => {
    return ip.interface === null || (result.interfaces[ip.interface]?.sandbox ?? '') !== '';
  });
  const named = inside.filter(
    (ip) => ip.interface === null || result.interfaces[ip.interface]?.name === ifName,
  );
  const chosen = [named, inside, result.ips].find((ips) => ips.length > 0) ?? [];
  return [...new Set(chosen.map(({ address }) => address.replace(/\/.*$/, '')))];
}

/** Until 0.2.0 there was one address of each family at most, under a name of its own. */
function ipsOf(raw: JsonObject): JsonObject[] {
  if (raw.ips !== undefined) return objects(raw.ips);
  return [raw.ip4, raw.ip6].filter(isJsonObject).map(({ ip, gateway }) => ({
    address: ip,
    ...(gateway === undefined ? {} : { gateway }),
  }));
}

function ipsByFamily(raw: JsonObject): JsonObject {
  const family: JsonObject = {};
  for (const { address, gateway } of ipsOf(raw)) {
    family[isIpv6(textOf(address)) ? 'ip6' : 'ip4'] ??= {
      ip: address,
      ...(gateway === undefined ? {} : { gateway }),
    };
  }
  return family;
}

function objects(value: unknown): JsonObject[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isJsonObject)) {
    throw new Fault(
      'internal',
      'the result has something else than objects where it lists ips or interfaces',
    );
  }
  return value;
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

import { BlockList, isIP, isIPv6 } from 'node:net';
import { Fault } from '../lib/fault.ts';

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy through which a URL is to be reached, or null. Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY in
 * either case; the loopback never needs one. Throws `failed_precondition` where the proxy is no URL.
 */
export function proxyFor(target: string, env: Environment): string | null {
  const url = new URL(target);
  const names = url.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
  const name = names.find((one) => env[one]);
  const proxy = name === undefined ? undefined : env[name];
  if (proxy === undefined || name === undefined) return null;

  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (isLoopback(host) || isExempt({ host, port }, env['NO_PROXY'] || env['no_proxy'] || '')) return null;
  const full = proxy.includes('://') ? proxy : `http://${proxy}`;
  // It may hold a password, so it is not quoted.
  if (!/^https?:\/\//.test(full) || !URL.canParse(full)) {
    throw new Fault('failed_precondition', `${name} in the environment is not an http or https URL`);
  }
  return full;
}

/** NO_PROXY names hosts (with all below them), `.domain`, IP addresses, CIDR blocks, each maybe with a port; or `*`. */
function isExempt({ host, port }: { host: string; port: string }, list: string): boolean {
  const entries = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  return entries.some((entry) => {
    if (entry === '*') return true;
    if (entry.includes('/')) return isWithin(host, entry);
    const [, name = '', only] =
      /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(isIPv6(entry) ? `[${entry}]` : entry) ?? [];
    const bare = name.replace(/^\[(.*)\]$/, '$1');
    if (only !== undefined && only !== port) return false;
    const below = isIP(host) === 0 && host.endsWith(`.${bare}`);
    return below || (host === bare && !/^\*?\./.test(entry));
  });
}

function isWithin(host: string, block: string): boolean {
  const [address = '', bits = ''] = block.split('/', 2);
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  const longest = family === 'ipv6' ? 128 : 32;
  if (isIP(host) === 0 || isIP(address) === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > longest)
    return false;
  const blocks = new BlockList();
  blocks.addSubnet(address, Number(bits), family);
  return blocks.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '::1' || isWithin(host, '127.0.0.0/8')
  );
}

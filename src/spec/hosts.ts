import type { DNSConfig__Output } from '../gen/runtime/v1/DNSConfig.ts';

/**
 * The contents of a pod's resolv.conf: what the DNS config says, or the host's own file when it says nothing.
 * Every server is kept, though the C library of most images reads only the first three.
 */
export function resolvConf(dns: DNSConfig__Output | null, host: string): string {
  const { servers = [], searches = [], options = [] } = dns ?? {};
  const lines = servers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.unshift(`search ${searches.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.length === 0 ? host : `${lines.join('\n')}\n`;
}

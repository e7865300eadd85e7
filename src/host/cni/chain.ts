import type { CacheEntry } from './cache.ts';
import { runtimeConfigFor } from './capabilities.ts';
import type { NetworkConfig, PluginConfig } from './config.ts';
import type { JsonObject } from './json-object.ts';
import type { PluginCall, RunPlugin, Verb } from './plugin.ts';
import { badAnswer } from './plugin.ts';
import type { CniResult } from './result.ts';
import { parseResult, resultAsVersion } from './result.ts';
import { isAtLeast } from './version.ts';

/** The interface that Kubernetes expects inside of every pod. */
export const IF_NAME = 'eth0';

/** Runs ADD of each plugin, handing on each one's result. Stops at the first that fails. */
export async function addChain(run: RunPlugin, entry: CacheEntry, signal?: AbortSignal): Promise<CniResult> {
  const { network } = entry;
  let result: CniResult = { ips: [], interfaces: [], raw: { cniVersion: network.cniVersion } };
  let previous: JsonObject | null = null;
  for (const plugin of network.plugins) {
    const call = attachmentCall('ADD', entry, plugin, { previous, netns: entry.netns });
    const answer = await run(call, signal);
    try {
      result = parseResult(answer, network.cniVersion);
      previous = resultAsVersion(result.raw, network.cniVersion);
    } catch (error) {
      throw badAnswer(call, error);
    }
  }
  return { ...result, raw: previous ?? result.raw };
}

/**
 * Runs DEL of each plugin in reverse. `netns` is '' when the namespace is gone; what the plugins
 * keep outside of it is freed all the same. Stops at the first that fails: the call can be repeated.
 */
export async function delChain(
  run: RunPlugin,
  entry: CacheEntry,
  options: { netns: string; signal?: AbortSignal | undefined },
): Promise<void> {
  const { network, result } = entry;
  const previous = isAtLeast(network.cniVersion, '0.4.0') ? result : null;
  for (const plugin of network.plugins.toReversed()) {
    await run(attachmentCall('DEL', entry, plugin, { previous, netns: options.netns }), options.signal);
  }
}

export async function checkChain(run: RunPlugin, entry: CacheEntry, netns: string): Promise<void> {
  for (const plugin of entry.network.plugins) {
    await run(attachmentCall('CHECK', entry, plugin, { previous: entry.result, netns }));
  }
}

/** Rejects with the first plugin that is not able to serve ADD. */
export async function statusChain(
  run: RunPlugin,
  network: NetworkConfig,
  signal?: AbortSignal,
): Promise<void> {
  for (const plugin of network.plugins) {
    await run(networkCall('STATUS', network, plugin, {}), signal);
  }
}

/** Tells every plugin what is still in use. All are called; then the first failure is thrown. */
export async function gcChain(run: RunPlugin, network: NetworkConfig, ids: readonly string[]): Promise<void> {
  const attachments = ids.map((containerID) => ({ containerID, ifname: IF_NAME }));
  // Plugins made after the first text of 1.1.0 read the second name.
  const inUse = { 'cni.dev/valid-attachments': attachments, 'cni.dev/attachments': attachments };
  const failures: unknown[] = [];
  for (const plugin of network.plugins) {
    await run(networkCall('GC', network, plugin, inUse)).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

function attachmentCall(
  verb: Verb,
  entry: CacheEntry,
  plugin: PluginConfig,
  { previous, netns }: { previous: JsonObject | null; netns: string },
): PluginCall {
  const runtimeConfig = runtimeConfigFor(plugin, entry.capabilityArgs);
  const call = networkCall(verb, entry.network, plugin, {
    ...(runtimeConfig === null ? {} : { runtimeConfig }),
    ...(previous === null ? {} : { prevResult: previous }),
  });
  const env = {
    CNI_CONTAINERID: entry.id,
    CNI_NETNS: netns,
    CNI_IFNAME: IF_NAME,
    CNI_ARGS: cniArgs(entry),
  };
  return { ...call, env };
}

/** `capabilities` stays in, as libcni leaves it there and plugins that delegate have come to read it. */
function networkCall(
  verb: Verb,
  network: NetworkConfig,
  plugin: PluginConfig,
  extra: JsonObject,
): PluginCall {
  const { name, cniVersion } = network;
  return {
    verb,
    type: plugin.type,
    network: name,
    config: { ...plugin.raw, name, cniVersion, ...extra },
    env: {},
  };
}

function cniArgs({ id, pod }: CacheEntry): string {
  const args = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: pod.namespace,
    K8S_POD_NAME: pod.name,
    K8S_POD_INFRA_CONTAINER_ID: id,
    K8S_POD_UID: pod.uid,
  };
  return Object.entries(args)
    .map(([key, value]) => `${key}=${value}`)
    .join(';');
}

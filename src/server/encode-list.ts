import { onceEach } from '../lib/once-each.ts';

/** The lists that the kubelet asks for every second, by RPC: where each response has its items. */
const LISTS: Record<string, string> = {
  ListContainers: 'containers',
  ListPodSandbox: 'items',
  StreamContainers: 'containers',
  StreamPodSandboxes: 'podSandboxes',
};

/**
 * The way of encoding the responses of an RPC. Of a list, each item is encoded once: a response that has
 * nothing but a repeated field is, in protobuf, the responses with one item each put behind each other.
 * So it needs items that are never edited, and are the same objects in the next list.
 */
export function encoderFor<Res>(
  rpc: string,
  serialize: (response: Res) => Buffer,
): (response: Res) => Buffer {
  const field = LISTS[rpc];
  if (field === undefined) return serialize;
  const encodeItem = onceEach((item: object) => serialize({ [field]: [item] } as Res));
  return (response) => Buffer.concat((response as Record<string, object[]>)[field]?.map(encodeItem) ?? []);
}

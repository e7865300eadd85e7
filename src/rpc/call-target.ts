interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
}

/** The fields by which requests of the CRI say what they are about. */
interface Request {
  readonly podSandboxId?: string;
  readonly containerId?: string;
  readonly config?: { readonly metadata?: Metadata | null } | null;
  readonly sandboxConfig?: { readonly metadata?: Metadata | null } | null;
  readonly image?: { readonly image?: string } | null;
}

/**
 * What a request is about: `namespace/pod`, `namespace/pod/container` or an image; null for what is about
 * no single one. `nameOf` gives the same for an id, or null when it knows no such thing.
 */
export function targetOf(request: unknown, nameOf: (id: string) => string | null): string | null {
  const { podSandboxId, containerId, config, sandboxConfig, image } = request as Request;
  const byId = (id: string) => nameOf(id) ?? id.slice(0, 13);
  if (containerId) return byId(containerId);
  if (podSandboxId) {
    const pod = podName(sandboxConfig?.metadata) ?? byId(podSandboxId);
    const container = sandboxConfig ? config?.metadata?.name : undefined;
    return container ? `${pod}/${container}` : pod;
  }
  if (image?.image) return image.image;
  return podName(config?.metadata);
}

function podName(metadata: Metadata | null | undefined): string | null {
  return metadata?.name ? `${metadata.namespace ?? ''}/${metadata.name}` : null;
}

interface Known {
  readonly sandboxes: { get(id: string): Named | null };
  readonly containers: { get(id: string): (Named & { readonly sandboxId: string }) | null };
}

interface Named {
  readonly config: { readonly metadata?: Metadata | null };
}

/** Names pods and containers that are there, by their full ids. */
export function nameFrom({ sandboxes, containers }: Known): (id: string) => string | null {
  const pod = (id: string) => podName(sandboxes.get(id)?.config.metadata);
  return (id) => {
    const container = containers.get(id);
    if (!container) return pod(id);
    const { sandboxId, config } = container;
    return `${pod(sandboxId) ?? sandboxId.slice(0, 13)}/${config.metadata?.name ?? ''}`;
  };
}

import type { HostFacts } from '../lib/host-facts.ts';
import type { RuntimeAbilities } from '../lib/runtime-abilities.ts';
import { isBefore, kernelVersion } from './seccomp/terms.ts';

/** Before it overlay cannot stand on id-mapped layers, and hardly any snapshot is not an overlay. */
const ID_MAPPED_LAYERS = [5, 19] as const;

/** What cristal asks of the document in which an OCI runtime tells what it knows (runtime-spec, features.md). */
export interface OciFeatures {
  mountOptions: string[];
  namespaces: string[];
  seccomp: boolean;
}

/** Reads the document. What is not there, or is of another form, is not known by the runtime. */
export function readFeatures(document: unknown): OciFeatures {
  const linux = objectAt(document, 'linux');
  return {
    mountOptions: textsAt(document, 'mountOptions'),
    namespaces: textsAt(linux, 'namespaces'),
    seccomp: objectAt(linux, 'seccomp')['enabled'] !== false,
  };
}

/** Null features are those of a runtime that could not be asked: it is trusted with nothing. */
export function abilitiesOf(
  features: OciFeatures | null,
  { kernel, kernelRelease }: Pick<HostFacts, 'kernel' | 'kernelRelease'>,
): RuntimeAbilities {
  const mapsLayers = kernel.mountAttributes && !isBefore(kernelVersion(kernelRelease), ID_MAPPED_LAYERS);
  return {
    recursiveReadOnly: kernel.mountAttributes && (features?.mountOptions.includes('rro') ?? false),
    userNamespaces: mapsLayers && kernel.userNamespaces && (features?.namespaces.includes('user') ?? false),
    seccomp: features?.seccomp ?? true,
  };
}

function objectAt(value: unknown, key: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {};
  const found = (value as Record<string, unknown>)[key];
  return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {};
}

function textsAt(value: unknown, key: string): string[] {
  return Object.values(objectAt(value, key)).filter((entry) => typeof entry === 'string');
}

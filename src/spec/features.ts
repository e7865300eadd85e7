import type { KernelAbilities, RuntimeAbilities } from '../lib/runtime-abilities.ts';

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
export function abilitiesOf(features: OciFeatures | null, kernel: KernelAbilities): RuntimeAbilities {
  return {
    recursiveReadOnly: kernel.mountAttributes && (features?.mountOptions.includes('rro') ?? false),
    userNamespaces:
      kernel.mountAttributes && kernel.userNamespaces && (features?.namespaces.includes('user') ?? false),
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

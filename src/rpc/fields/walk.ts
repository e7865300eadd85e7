/** For the test of this folder: the fields of a message, by what the proto says of it. */
import type { PackageDefinition } from '@grpc/proto-loader';

type Json = Record<string, unknown>;

/** A field that holds no message but a value, or several. */
export interface Leaf {
  /** Names as in `linux.securityContext.runAsUser.value`; of a list of messages the first: `mounts[].readonly`. */
  path: string;
  kind: 'text' | 'number' | 'int64' | 'bool' | 'bytes' | 'enum' | 'map';
  repeated: boolean;
  /** Of an enum. */
  names: string[];
}

interface Field {
  name: string;
  label: string;
  type: string;
  typeName: string;
}

interface Enum {
  name: string;
  value: { name: string }[];
}

interface Message {
  field: Field[];
  enumType?: Enum[];
  nestedType?: { name: string; options?: { mapEntry?: boolean } | null }[];
}

const PACKAGE = 'runtime.v1.';

const KINDS: Record<string, Leaf['kind']> = {
  TYPE_STRING: 'text',
  TYPE_BOOL: 'bool',
  TYPE_BYTES: 'bytes',
  TYPE_ENUM: 'enum',
  TYPE_INT32: 'number',
  TYPE_UINT32: 'number',
  TYPE_INT64: 'int64',
  TYPE_UINT64: 'int64',
};

/** All leaves of a message and of those in it. Throws for a type that is not known here. */
export function leavesOf(protos: PackageDefinition, message: string, prefix = ''): Leaf[] {
  const { field, nestedType = [] } = descriptor(protos, message);
  return field.flatMap(({ name, label, type, typeName }) => {
    const path = `${prefix}${name}`;
    const repeated = label === 'LABEL_REPEATED';
    if (type === 'TYPE_MESSAGE') {
      const isMap = nestedType.some(
        (nested) => nested.name === typeName && nested.options?.mapEntry === true,
      );
      if (isMap) return [{ path, kind: 'map' as const, repeated: false, names: [] }];
      return leavesOf(protos, typeName, repeated ? `${path}[].` : `${path}.`);
    }
    const kind = KINDS[type];
    if (kind === undefined) throw new Error(`${path} is of type ${type}`);
    return [{ path, kind, repeated, names: kind === 'enum' ? enumNames(protos, message, typeName) : [] }];
  });
}

/** An enum stands in the message that uses it, or in none. */
function enumNames(protos: PackageDefinition, message: string, name: string): string[] {
  const { enumType = [] } = descriptor(protos, message);
  const inner = enumType.find((one) => one.name === name);
  return (inner ?? descriptor(protos, name)).value.map((value) => value.name);
}

function descriptor(protos: PackageDefinition, name: string): Message & Enum {
  const found = protos[`${PACKAGE}${name}`];
  if (!found || !('type' in found)) throw new Error(`no ${name} in the protos`);
  return found.type as unknown as Message & Enum;
}

/** The value at a path, undefined where one of the messages on the way is not set. */
export function valueAt(config: object, path: string): unknown {
  return partsOf(path).reduce<unknown>((at, part) => (at as Json | undefined)?.[part], config);
}

/** A copy with another value at a path. Messages and lists on the way that are not set are made. */
export function withValue(config: object, path: string, value: unknown): object {
  const copy = structuredClone(config);
  const parts = partsOf(path);
  let at = copy as Json;
  for (const [i, part] of parts.slice(0, -1).entries()) {
    at[part] ??= parts[i + 1] === '0' ? [] : {};
    at = at[part] as Json;
  }
  at[parts.at(-1) ?? ''] = value;
  return copy;
}

/** A copy in which the message that has the field is set. */
export function withMessageOf(config: object, path: string): object {
  const message = path.split('.').slice(0, -1).join('.');
  return message === '' || valueAt(config, message) ? config : withValue(config, message, {});
}

/** The values of a field that differ from the one it has, as far as its kind tells. */
export function otherValues({ kind, repeated, names }: Leaf, now: unknown): unknown[] {
  const values = ((): unknown[] => {
    switch (kind) {
      case 'text':
        return ['other'];
      case 'number':
      case 'int64':
        return [7];
      case 'bool':
        return [now !== true];
      case 'bytes':
        return [Buffer.from('other')];
      case 'enum':
        return names.filter((name) => name !== now);
      case 'map':
        return [{ other: 'other' }];
    }
  })();
  return repeated ? values.map((value) => [value]) : values;
}

function partsOf(path: string): string[] {
  return path.replaceAll('[]', '.0').split('.');
}

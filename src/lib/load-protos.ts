import path from 'node:path';
import protobuf from 'protobufjs';

const protoDir = path.join(import.meta.dirname, '..', '..', 'proto');

/**
 * How messages look to us. Must stay those of scripts/generate.sh, or the generated types would describe
 * other values than we meet.
 */
const SHAPE: protobuf.IConversionOptions = { longs: String, enums: String, defaults: true, oneofs: true };

/** What proto-loader's types say of a message, as far as we use it. */
interface MessageDefinition {
  serialize: (value: object) => Buffer;
  deserialize: (bytes: Buffer) => object;
}

/** What proto-loader's types say of a method, as far as we use it. */
interface MethodDefinition {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize: (request: object) => Buffer;
  requestDeserialize: (bytes: Buffer) => object;
  responseSerialize: (response: object) => Buffer;
  responseDeserialize: (bytes: Buffer) => object;
}

/**
 * Reads `.proto` files, named relative to `proto/`: services as methods by name, and messages, both by their
 * full names. This is proto-loader's work without its descriptors of everything, which nobody reads and
 * which took half of its memory.
 */
export function loadProtos(
  files: string[],
): Record<string, MessageDefinition | Record<string, MethodDefinition>> {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (path.isAbsolute(target) ? target : path.join(protoDir, target));
  root.loadSync(files).resolveAll();
  return Object.fromEntries(typesIn(root).map((type) => [type.fullName.slice(1), definitionOf(type)]));
}

/** Messages and services, wherever they stand. */
function typesIn(namespace: protobuf.NamespaceBase): (protobuf.Type | protobuf.Service)[] {
  return namespace.nestedArray.flatMap((one) => {
    if (one instanceof protobuf.Type || one instanceof protobuf.Service) return [one];
    return one instanceof protobuf.Namespace ? typesIn(one) : [];
  });
}

function definitionOf(
  type: protobuf.Type | protobuf.Service,
): MessageDefinition | Record<string, MethodDefinition> {
  if (type instanceof protobuf.Type)
    return { serialize: serializerOf(type), deserialize: deserializerOf(type) };
  return Object.fromEntries(type.methodsArray.map((method) => [method.name, methodOf(type, method)]));
}

function methodOf(service: protobuf.Service, method: protobuf.Method): MethodDefinition {
  const { resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) throw new Error(`${method.fullName} has no types`);
  return {
    path: `/${service.fullName.slice(1)}/${method.name}`,
    requestStream: method.requestStream ?? false,
    responseStream: method.responseStream ?? false,
    requestSerialize: serializerOf(request),
    requestDeserialize: deserializerOf(request),
    responseSerialize: serializerOf(response),
    responseDeserialize: deserializerOf(response),
  };
}

function serializerOf(type: protobuf.Type): (value: object) => Buffer {
  return (value) => type.encode(type.fromObject(value)).finish() as Buffer;
}

function deserializerOf(type: protobuf.Type): (bytes: Buffer) => object {
  return (bytes) => type.toObject(type.decode(bytes), SHAPE);
}

import type { AttributeValue, Span, Tree } from '../lib/trace.ts';
import { labelOf } from './views.ts';

/* OTLP/HTTP in JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */

/** How the spans of a tree are known to the collector. */
export interface SpanIds {
  /** 32 hex digits, the same for all that belongs to one trace. */
  traceId(tree: Tree): string;
  /** 16 hex digits. */
  spanId(span: Span): string;
}

interface KeyValue {
  key: string;
  value: { stringValue: string } | { intValue: string } | { doubleValue: number } | { boolValue: boolean };
}

const KIND_INTERNAL = 1;
const KIND_SERVER = 2;
const KIND_CLIENT = 3;
const KINDS: Record<string, number> = { rpc: KIND_SERVER, containerd: KIND_CLIENT, registry: KIND_CLIENT };

const STATUS_ERROR = 2;

/** One request for the collector. */
export function encodeTrees(
  trees: readonly Tree[],
  ids: SpanIds,
  resource: Readonly<Record<string, string>>,
): string {
  const spans = trees.flatMap((tree) => spansOf(tree, ids));
  const scopeSpans = [{ scope: { name: 'cristal' }, spans }];
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: attributesOf(resource) }, scopeSpans }],
  });
}

function spansOf(tree: Tree, ids: SpanIds): object[] {
  const { root, context, origin } = tree;
  const above = origin ? ids.spanId(origin) : (context?.spanId ?? null);
  const encode = (own: Span, parent: string | null): object[] => {
    const id = ids.spanId(own);
    return [spanFrom(own, parent, ids), ...(own.children ?? []).flatMap((child) => encode(child, id))];
  };
  return encode(root, above);
}

function spanFrom(own: Span, parent: string | null, ids: SpanIds): object {
  const { tree, kind, name, start, end, code, error, link } = own;
  const attributes = { ...own.attributes, 'cristal.kind': kind, ...grpcAttributes(own) };
  return {
    traceId: ids.traceId(tree),
    spanId: ids.spanId(own),
    ...(parent === null ? {} : { parentSpanId: parent }),
    name: labelOf(own) || name,
    kind: KINDS[kind] ?? KIND_INTERNAL,
    startTimeUnixNano: nanos(tree, start),
    // A stage that its call did not wait for may still run.
    endTimeUnixNano: nanos(tree, end ?? tree.root.end ?? start),
    attributes: attributesOf(attributes),
    ...(link === null ? {} : { links: [{ traceId: ids.traceId(link), spanId: ids.spanId(link.root) }] }),
    ...(code === 'ok' || code === null ? {} : { status: { code: STATUS_ERROR, message: error ?? code } }),
  };
}

/** Our codes are those of gRPC, in lower case. */
function grpcAttributes({ kind, name, code }: Span): Record<string, AttributeValue> {
  if (kind !== 'rpc' && kind !== 'containerd') return {};
  return { 'rpc.system': 'grpc', 'rpc.method': name, 'rpc.response.status_code': (code ?? '').toUpperCase() };
}

function attributesOf(attributes: Readonly<Record<string, AttributeValue>>): KeyValue[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueFrom(value) }));
}

function valueFrom(value: AttributeValue): KeyValue['value'] {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  // 64-bit integers are strings in JSON.
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Since 1970, to the microsecond: the clock that measures spans is set by that of the wall when a tree begins. */
function nanos({ wallMs, root }: Tree, at: number): string {
  return String(BigInt(Math.round((wallMs + at - root.start) * 1000)) * 1000n);
}

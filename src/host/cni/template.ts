import { Fault } from '../../lib/fault.ts';

/** What a CNI template can name, as containerd has it. */
export interface TemplateValues {
  /** The first of the ranges. */
  readonly PodCIDR: string;
  readonly PodCIDRRanges: readonly string[];
  /** One default route for each address family of the ranges. */
  readonly Routes: readonly string[];
}

type Value = string | number | readonly string[];
type Scope = ReadonlyMap<string, Value>;

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: string }
  | { readonly kind: 'if'; readonly name: string; readonly holds: Node[]; readonly otherwise: Node[] }
  | { readonly kind: 'range'; readonly over: string; readonly names: string[]; readonly body: Node[] };

/**
 * Fills a template in the language of Go's text/template, of which it knows what CNI templates use: values
 * (`{{.PodCIDR}}`, `{{$x}}`, `{{.}}`), `range` with or without variables, `if` and `else`, and the dashes that
 * trim white space. All else is refused as `invalid_argument`, by its own words.
 */
export function renderTemplate(template: string, values: TemplateValues): string {
  const tokens = tokensOf(template);
  const nodes = parse(tokens, []);
  const scope = new Map<string, Value>(
    Object.entries(values).map(([key, value]) => [`.${key}`, value as Value]),
  );
  return nodes.map((node) => render(node, scope)).join('');
}

/** Text and actions in turn, the first and the last being text. */
function tokensOf(template: string): string[] {
  const trimmed = template.replaceAll(/\s*\{\{- /g, '{{ ').replaceAll(/ -\}\}\s*/g, ' }}');
  return trimmed.split(/\{\{(.*?)\}\}/s);
}

/** @param until what ends the list, which stays in front of the tokens; none at the outermost level. */
function parse(tokens: string[], until: readonly string[]): Node[] {
  const nodes: Node[] = [];
  for (;;) {
    const text = tokens.shift() ?? '';
    if (text !== '') nodes.push({ kind: 'text', text });
    const action = tokens[0]?.trim();
    if (action === undefined) {
      if (until.length > 0) throw new Fault('invalid_argument', 'a range or an if has no {{end}}');
      return nodes;
    }
    if (until.includes(action)) return nodes;
    tokens.shift();
    nodes.push(nodeOf(action, tokens));
  }
}

const VALUE = /^(?:\$?\.[A-Za-z]*|\$[A-Za-z]\w*)$/;
const RANGE = /^range\s+(?:\$(\w+)\s*(?:,\s*\$(\w+)\s*)?:=\s*)?(\S+)$/;

function nodeOf(action: string, tokens: string[]): Node {
  if (VALUE.test(action)) return { kind: 'value', name: action };
  const condition = /^if\s+(\S+)$/.exec(action)?.[1];
  if (condition !== undefined && VALUE.test(condition)) {
    const holds = parse(tokens, ['else', 'end']);
    const otherwise = tokens.shift()?.trim() === 'else' ? parseToEnd(tokens) : [];
    return { kind: 'if', name: condition, holds, otherwise };
  }
  const [, first, second, over] = RANGE.exec(action) ?? [];
  if (over !== undefined && VALUE.test(over)) {
    const names = [first, second].filter((name) => name !== undefined).map((name) => `$${name}`);
    return { kind: 'range', over, names, body: parseToEnd(tokens) };
  }
  throw new Fault('invalid_argument', `{{${action}}} is not understood`);
}

function parseToEnd(tokens: string[]): Node[] {
  const nodes = parse(tokens, ['end']);
  tokens.shift();
  return nodes;
}

function render(node: Node, scope: Scope): string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'value': {
      const value = lookUp(node.name, scope);
      return typeof value === 'object' ? `[${value.join(' ')}]` : String(value);
    }
    case 'if': {
      const value = lookUp(node.name, scope);
      const isSet = typeof value === 'object' ? value.length > 0 : Boolean(value);
      return (isSet ? node.holds : node.otherwise).map((inner) => render(inner, scope)).join('');
    }
    case 'range':
      return renderRange(node, scope);
  }
}

/** With one variable it is the item, with two they are the index and the item. */
function renderRange({ over, names, body }: Extract<Node, { kind: 'range' }>, scope: Scope): string {
  const items = lookUp(over, scope);
  if (typeof items !== 'object') throw new Fault('invalid_argument', `${over} is no list to range over`);
  const item = names.at(-1);
  const index = names.length > 1 ? names[0] : undefined;
  return items
    .map((value, at) => {
      const inner = new Map<string, Value>(scope).set('.', value);
      if (item !== undefined) inner.set(item, value);
      if (index !== undefined) inner.set(index, at);
      return body.map((node) => render(node, inner)).join('');
    })
    .join('');
}

function lookUp(name: string, scope: Scope): Value {
  // Inside a range too the outermost values are known by their plain names.
  const value = scope.get(name.replace('$.', '.'));
  if (value === undefined) throw new Fault('invalid_argument', `${name} is not known to CNI templates`);
  return value;
}

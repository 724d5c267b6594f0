/**
 * A value as it was written, with the place it was written at: what every schema reads from. Made from YAML text
 * (with lines), from a plain value, or from one environment variable or argument.
 * Bounded in depth and in nodes, so that a hostile document costs a refusal and not the process.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument as parseYamlDocument,
} from 'yaml';
import { ConfigError, type Problem } from './problem.js';

export type Scalar = string | number | boolean | null;

export type Located =
  | { readonly kind: 'scalar'; readonly place: string; readonly value: Scalar; readonly textual: boolean }
  | { readonly kind: 'list'; readonly place: string; readonly items: readonly Located[] }
  | { readonly kind: 'map'; readonly place: string; readonly entries: ReadonlyMap<string, Entry> };

export interface Entry {
  readonly place: string;
  readonly value: Located;
}

export type LocatedMap = Extract<Located, { kind: 'map' }>;

const maxDepth = 64;
const maxNodes = 1_000_000;

export function emptyMap(place: string): LocatedMap {
  return { kind: 'map', place, entries: new Map() };
}

/** A scalar from the environment or the command line: numbers and booleans may be given as text. */
export function textScalar(text: string, place: string): Located {
  return { kind: 'scalar', place, value: text, textual: true };
}

/** Throws ConfigError when the text is no YAML or nests too deep; duplicate keys are refused. */
export function locateYaml(text: string, file: string): Located {
  const lines = new LineCounter();
  const document = parseYamlDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    version: '1.2',
  });
  const placeAt = (offset: number | undefined): string =>
    offset === undefined ? file : `${file}:${lines.linePos(offset).line}`;
  const deep = document.errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  if (deep !== undefined) throw tooBig(placeAt(deep.pos[0]));
  const problems: Problem[] = document.errors.map((error) => ({
    place: placeAt(error.pos[0]),
    path: '',
    message: `not valid YAML: ${error.message}`,
  }));
  if (problems.length > 0) throw new ConfigError(problems);
  if (document.contents === null) return emptyMap(file);
  return new YamlReader(document, placeAt).read(document.contents, 0, file);
}

class YamlReader {
  readonly #document: Document.Parsed;
  readonly #placeAt: (offset: number | undefined) => string;
  #nodes = 0;

  constructor(document: Document.Parsed, placeAt: (offset: number | undefined) => string) {
    this.#document = document;
    this.#placeAt = placeAt;
  }

  read(node: unknown, depth: number, above: string): Located {
    if (depth > maxDepth || ++this.#nodes > maxNodes) throw tooBig(above);
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined) throw this.#unreadable(node, above, `no anchor named ${node.source}`);
      return this.read(target, depth + 1, above);
    }
    if (isMap(node)) {
      const entries = new Map<string, Entry>();
      const place = this.#place(node, above);
      for (const pair of node.items) {
        const keyPlace = isScalar(pair.key) ? this.#place(pair.key, place) : place;
        const key = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
        if (entries.has(key)) throw this.#unreadable(pair.key, place, `duplicate key ${JSON.stringify(key)}`);
        entries.set(key, { place: keyPlace, value: this.read(pair.value, depth + 1, keyPlace) });
      }
      return { kind: 'map', place, entries };
    }
    if (isSeq(node)) {
      const place = this.#place(node, above);
      return { kind: 'list', place, items: node.items.map((item) => this.read(item, depth + 1, place)) };
    }
    if (isScalar(node))
      return { kind: 'scalar', place: this.#place(node, above), value: scalar(node.value), textual: false };
    return { kind: 'scalar', place: above, value: null, textual: false };
  }

  #unreadable(node: unknown, above: string, message: string): ConfigError {
    return new ConfigError([{ place: isNode(node) ? this.#place(node, above) : above, path: '', message }]);
  }

  #place(node: Node, above: string): string {
    return node.range ? this.#placeAt(node.range[0]) : above;
  }
}

/** The same from a plain value (JSON from the API, a default in a schema): every place is `place`. */
export function locatePlain(value: unknown, place: string): Located {
  let nodes = 0;
  const read = (part: unknown, depth: number): Located => {
    if (depth > maxDepth || ++nodes > maxNodes) throw tooBig(place);
    if (Array.isArray(part)) return { kind: 'list', place, items: part.map((item) => read(item, depth + 1)) };
    if (typeof part === 'object' && part !== null) {
      const entries = new Map<string, Entry>();
      for (const [key, child] of Object.entries(part)) {
        if (child !== undefined) entries.set(key, { place, value: read(child, depth + 1) });
      }
      return { kind: 'map', place, entries };
    }
    return { kind: 'scalar', place, value: scalar(part), textual: false };
  };
  return read(value, 0);
}

function scalar(value: unknown): Scalar {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return Number(value);
  return null;
}

function tooBig(place: string): ConfigError {
  return new ConfigError([{ place, path: '', message: `more than ${maxDepth} levels or ${maxNodes} values` }]);
}

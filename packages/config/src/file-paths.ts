/**
 * The values of a document that are paths of files, found by its schema. Relative ones are meant from the folder of the text they were
 * written in; once they are moved to another text they must be absolute.
 */
import { type Located, type LocatedMap, locatePlain } from './located.js';
import type { Fields } from './object.js';
import { type AnySchema, Reader } from './schema.js';

export interface NamedFile {
  readonly place: string;
  readonly path: string;
  readonly file: string;
}

/** Schema of what is below `key`; of a union the first variant that knows it. */
function below(schema: AnySchema, key: string): AnySchema | undefined {
  const children = schema.kind.children();
  const named = children.find(({ name }) => name === `.${key}` || name.endsWith(`).${key}`));
  return (named ?? children.find(({ name }) => name === '.<name>'))?.schema;
}

const item = (schema: AnySchema): AnySchema | undefined =>
  schema.kind.children().find(({ name }) => name === '[]')?.schema;

function absolute(schema: AnySchema, at: Located): string | undefined {
  if (schema.kind.type !== 'file') return undefined;
  const outcome = schema.read(at, '', new Reader());
  return outcome.ok && typeof outcome.value === 'string' ? outcome.value : undefined;
}

/** The same with every path of a file absolute. What does not fit the schema is left as it is. */
export function resolveFiles(schema: AnySchema, at: Located): Located {
  if (at.kind === 'map') {
    const entries = [...at.entries].map(([key, entry]) => {
      const inner = below(schema, key);
      return [key, inner === undefined ? entry : { ...entry, value: resolveFiles(inner, entry.value) }] as const;
    });
    return { ...at, entries: new Map(entries) };
  }
  if (at.kind === 'list') {
    const inner = item(schema);
    return inner === undefined ? at : { ...at, items: at.items.map((entry) => resolveFiles(inner, entry)) };
  }
  const file = absolute(schema, at);
  return file === undefined ? at : locatePlain(file, at.place);
}

export function filesIn(fields: Fields, map: LocatedMap): NamedFile[] {
  const found: NamedFile[] = [];
  const visit = (schema: AnySchema, at: Located, path: string): void => {
    if (at.kind === 'map') {
      for (const [key, entry] of at.entries) {
        const inner = below(schema, key);
        if (inner !== undefined) visit(inner, entry.value, `${path}.${key}`);
      }
    } else if (at.kind === 'list') {
      const inner = item(schema);
      if (inner !== undefined)
        for (const [index, entry] of at.items.entries()) visit(inner, entry, `${path}[${index}]`);
    } else {
      const file = absolute(schema, at);
      if (file !== undefined) found.push({ place: at.place, path, file });
    }
  };
  for (const [key, entry] of map.entries) {
    const schema = fields[key];
    if (schema !== undefined) visit(schema, entry.value, key);
  }
  return found;
}

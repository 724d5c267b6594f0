/**
 * One of several objects, told apart by one field: `kind: local | s3`. The result is a discriminated union.
 */
import { asMap, type Fields, type ObjectOf, objectKind } from './object.js';
import { enumerationKind } from './scalars.js';
import { accepted, type Kind, refused, Schema } from './schema.js';
import { nearest } from './suggest.js';

export type Variants = Readonly<Record<string, Fields>>;

type Flat<T> = { [K in keyof T]: T[K] };

export type UnionOf<D extends string, V extends Variants> = {
  [K in keyof V & string]: Flat<{ [Tag in D]: K } & ObjectOf<V[K]>>;
}[keyof V & string];

export function unionKind<const D extends string, V extends Variants>(
  discriminator: D,
  variants: V,
): Kind<UnionOf<D, V>> {
  const names = Object.keys(variants);
  const choices = `one of ${names.join(', ')}`;
  const allowed = `a map with ${discriminator}: ${names.join(' | ')}`;
  const byName = new Map<string, Kind<object>>();
  for (const [name, fields] of Object.entries(variants)) {
    byName.set(name, objectKind({ [discriminator]: new Schema(enumerationKind([name]), 'required'), ...fields }));
  }
  const isVariant = (value: object): value is UnionOf<D, V> => names.includes(tagOf(value, discriminator));
  return {
    type: 'union',
    textForm: 'structure',
    allowed: () => allowed,
    read: (at, path, reader, secret) => {
      const map = asMap(at);
      if (map === undefined) return reader.refuseShape(at, path, allowed);
      const tag = map.entries.get(discriminator);
      const tagPath = path === '' ? discriminator : `${path}.${discriminator}`;
      if (tag === undefined) return reader.report(map, map.place, tagPath, `missing; expected ${choices}`, 'missing');
      const name = tag.value.kind === 'scalar' ? String(tag.value.value) : '';
      const variant = byName.get(name);
      if (variant === undefined) {
        const near = nearest(name, names);
        return reader.refuse(tag.value, tagPath, near === undefined ? choices : `${choices}; did you mean ${near}?`);
      }
      const outcome = variant.read(map, path, reader, secret);
      return outcome.ok && isVariant(outcome.value) ? accepted(outcome.value) : refused;
    },
    show: (value) => byName.get(tagOf(value, discriminator))?.show(value),
    jsonSchema: () => ({ oneOf: [...byName.values()].map((variant) => variant.jsonSchema()) }),
    children: () =>
      [...byName].flatMap(([name, variant]) =>
        variant.children().map((child) => ({ name: `(${name})${child.name}`, schema: child.schema })),
      ),
  };
}

function tagOf(value: object, discriminator: string): string {
  const tag = Object.entries(value).find(([name]) => name === discriminator);
  return tag === undefined ? '' : String(tag[1]);
}

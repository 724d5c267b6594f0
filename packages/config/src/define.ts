/**
 * A configuration: a service's name and its top-level keys. Checks on definition that derived environment names differ.
 */
import { commonSections, serviceSections } from './common-sections.js';
import type { Fault } from './fault.js';
import type { Fields, ObjectOf } from './object.js';
import type { AnySchema } from './schema.js';

export interface ConfigDefinition<F extends Fields> {
  readonly name: string;
  readonly fields: F;
  /** Top-level keys of the file that belong to others. */
  readonly foreign: ReadonlySet<string>;
  /** What is wrong between fields that are right each for itself. */
  faults(value: ObjectOf<F>): readonly Fault[];
}

export type ConfigOf<D> = D extends ConfigDefinition<infer F> ? ObjectOf<F> : never;

/** `defineConfig('edge', { nats: commonSections.nats, edge: s.object({ … }) })`. */
export function defineConfig<F extends Fields>(
  name: string,
  fields: F,
  faults: (value: ObjectOf<F>) => readonly Fault[] = () => [],
): ConfigDefinition<F> {
  const seen = new Map<string, string>();
  for (const leaf of leavesOf(fields)) {
    const other = seen.get(leaf.environment);
    if (other !== undefined) throw new TypeError(`${name}: ${leaf.path} and ${other} share ${leaf.environment}`);
    seen.set(leaf.environment, leaf.path);
  }
  const own = new Set(Object.keys(fields));
  const foreign = [...serviceSections, ...Object.keys(commonSections)].filter((key) => !own.has(key));
  return { name, fields, foreign: new Set(foreign), faults };
}

export interface Leaf {
  readonly keys: readonly string[];
  readonly path: string;
  readonly environment: string;
  readonly schema: AnySchema;
}

/** Fields that can be set by one environment variable: everything that is not an object with known fields. */
export function leavesOf(fields: Fields, above: readonly string[] = []): Leaf[] {
  return Object.entries(fields).flatMap(([name, schema]) => {
    const keys = [...above, name];
    if (schema.kind.type !== 'object') {
      return [{ keys, path: keys.join('.'), environment: environmentName(keys), schema }];
    }
    return leavesOf(
      Object.fromEntries(schema.kind.children().map((child) => [child.name.slice(1), child.schema])),
      keys,
    );
  });
}

/** edge.listen.smtpPort -> POSTERN_EDGE_LISTEN_SMTP_PORT */
export function environmentName(keys: readonly string[]): string {
  return ['POSTERN', ...keys.map((key) => key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]/g, '_'))]
    .join('_')
    .toUpperCase();
}

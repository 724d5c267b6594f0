/**
 * The settings in force in one place, field by field, with who set each: the innermost scope that names the field and may; else the operator, where
 * it is not the default. Lists of the operator hold beside those of a scope. Pure.
 */
import type { PlainValue } from '@postern/config';
import { type CheckSettings, checksSchema } from './all.js';
import { type CheckPatch, defaultSettings, settingsOf, usablePatch } from './scope.js';

export interface SettingsLayer {
  /** In words: `tenant acme`, `domain acme.test`. */
  readonly name: string;
  /** As stored. */
  readonly document: unknown;
}

export interface EffectiveField {
  /** `spf.onFail`. */
  readonly field: string;
  /** As JSON. */
  readonly value: string;
  /** A layer, `operator`, or `default`. */
  readonly setBy: string;
}

type Fields = ReadonlyMap<string, string>;

function fieldsOf(settings: CheckSettings): Fields {
  const shown = Object.entries(checksSchema.kind.show(settings) ?? {});
  return new Map(
    shown.flatMap(([check, fields]) =>
      Object.entries(typeof fields === 'object' && fields !== null ? fields : {}).map(
        ([field, value]): [string, string] => [`${check}.${field}`, JSON.stringify(value)],
      ),
    ),
  );
}

const names = (patch: CheckPatch, field: string): boolean => {
  const [check = '', name = ''] = field.split('.');
  const fields: PlainValue | undefined = Object.hasOwn(patch, check) ? patch[check] : undefined;
  return typeof fields === 'object' && fields !== null && Object.hasOwn(fields, name);
};

const empty = '[]';

/** From the outer layer to the inner. */
export function effectiveFields(operator: CheckSettings, layers: readonly SettingsLayer[]): EffectiveField[] {
  const usable = layers.map(({ name, document }) => ({ name, patch: usablePatch(document, operator).patch }));
  const merged = settingsOf(
    operator,
    usable.map(({ patch }) => patch),
  );
  const own = fieldsOf(operator);
  const defaults = fieldsOf(defaultSettings());
  const operatorSet = (field: string, value: string | undefined): string =>
    value === defaults.get(field) ? 'default' : 'operator';
  return [...fieldsOf(merged ?? operator)].flatMap(([field, value]) => {
    const layer = usable.findLast(({ patch }) => names(patch, field));
    const outer = own.get(field);
    if (layer === undefined) return [{ field, value, setBy: operatorSet(field, outer) }];
    const inner = { field, value, setBy: layer.name };
    const addsUp = field.startsWith('lists.') && outer?.startsWith('[') === true && outer !== empty;
    return addsUp ? [{ field, value: outer, setBy: 'operator' }, inner] : [inner];
  });
}

/**
 * Settings of an inner scope laid over those of the operator. An inner scope may tighten, and loosen only what the operator allows: of a check
 * that is on it may make the consequence stricter; a check that is off is its own to configure; `tenantsMay: anything` lifts the bound.
 */
import { applyPatch, checkDocument, type PlainValue, patchFieldOf, patchOf } from '@postern/config';
import { isListEntry } from './address-lists.js';
import { type CheckName, type CheckSettings, checksSchema } from './all.js';
import { failureActions } from './base.js';

export type CheckPatch = { readonly [key: string]: PlainValue };

export type PatchReading =
  | { readonly ok: true; readonly patch: CheckPatch }
  | { readonly ok: false; readonly problems: readonly string[] };

const patchSchema = patchOf(checksSchema);
/** What a scope sets differently, as a field of another document. */
export const checkPatch = patchFieldOf(checksSchema, 'fields of `checks`');
const isMap = (value: PlainValue | undefined): value is { [key: string]: PlainValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const names = new Set<string>(checksSchema.kind.children().map((child) => child.name.slice(1)));
const isCheckName = (name: string): name is CheckName => names.has(name);
const ranks = new Map<PlainValue | undefined, number>(
  [...failureActions, 'tempfail'].map((action, rank) => [action, rank]),
);
const strictness = (action: PlainValue | undefined): number => ranks.get(action) ?? -1;

/** A check of a document whose fields cannot be used as they are written, with the reasons, each beginning with the field. */
export interface LeftOut {
  readonly check: string;
  readonly problems: readonly string[];
}

export interface UsablePatch {
  readonly patch: CheckPatch;
  readonly leftOut: readonly LeftOut[];
}

/**
 * What can be used of a document that was saved under other settings of the operator, or by another release: check by check, since the fields of a
 * check belong together and those of others are nothing to do with it.
 */
export function usablePatch(document: unknown, operator: CheckSettings): UsablePatch {
  const written = typeof document === 'object' && document !== null && !Array.isArray(document);
  if (!written) return { patch: {}, leftOut: [{ check: '', problems: ['the settings cannot be read'] }] };
  const usable: (readonly [string, PlainValue])[] = [];
  const leftOut: LeftOut[] = [];
  for (const [check, fields] of Object.entries(document)) {
    const reading = readPatch(Object.fromEntries([[check, fields]]), operator);
    if (reading.ok) usable.push(...Object.entries(reading.patch));
    else {
      leftOut.push({ check, problems: reading.problems });
      // An entry nobody can read takes no other with it: the rest of a block list goes on blocking.
      const rest = check === 'lists' ? readPatch({ lists: withoutUnreadable(fields) }, operator) : reading;
      if (rest.ok) usable.push(...Object.entries(rest.patch));
    }
  }
  return { patch: Object.fromEntries(usable), leftOut };
}

function withoutUnreadable(fields: unknown): unknown {
  if (typeof fields !== 'object' || fields === null) return fields;
  const readable = (value: unknown): unknown =>
    Array.isArray(value) ? value.filter((entry) => typeof entry === 'string' && isListEntry(entry)) : value;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, readable(value)]));
}

const withReadableLists = (settings: unknown): unknown =>
  typeof settings === 'object' && settings !== null && 'lists' in settings
    ? { ...settings, lists: withoutUnreadable(settings.lists) }
    : settings;

/** Reads what an inner scope wrote. `userScope`: a user has lists alone. */
export function readPatch(document: unknown, operator: CheckSettings, userScope = false): PatchReading {
  const checked = checkDocument(patchSchema, document, 'settings');
  if (!checked.ok) return { ok: false, problems: checked.problems.map(({ path, message }) => `${path}: ${message}`) };
  const problems = [...refusals(checked.value, operator).map(([, problem]) => problem)];
  if (userScope)
    for (const name of Object.keys(checked.value))
      if (name !== 'lists') problems.push(`${name}: a user sets lists.block and lists.allow only`);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, patch: checked.value };
}

function refusals(patch: CheckPatch, operator: CheckSettings): [CheckName, string][] {
  return Object.entries(patch).flatMap(([name, fields]) =>
    isCheckName(name) && isMap(fields)
      ? refusal(name, fields, operator[name]).map((problem): [CheckName, string] => [name, problem])
      : [],
  );
}

const shownOf = (settings: object, field: string): PlainValue | undefined => {
  const value: unknown = Object.entries(settings).find(([name]) => name === field)?.[1];
  return typeof value === 'string' ? value : undefined;
};

/** Every field that goes beyond, so that whoever mends it mends it once. */
function refusal(
  name: CheckName,
  fields: { readonly [key: string]: PlainValue },
  outer: { readonly enabled: boolean; readonly onFail: string; readonly tenantsMay: string },
): string[] {
  if (Object.hasOwn(fields, 'tenantsMay')) return [`${name}.tenantsMay: is the operator's to set`];
  if (outer.tenantsMay === 'anything' || name === 'lists') return [];
  if (outer.tenantsMay === 'nothing') return [`${name}: the operator lets nobody change this check`];
  if (!outer.enabled) return [];
  return Object.entries(fields).flatMap(([field, value]) => {
    const stricter = /^on[A-Z]/.test(field) && strictness(value) >= strictness(shownOf(outer, field));
    const same = field === 'enabled' && value === true;
    if (stricter || same) return [];
    const key = /^on[A-Z]/.test(field) && shownOf(outer, field) !== undefined ? field : 'onFail';
    return [
      `${name}.${field}: the operator has this check on with ${key}: ${String(shownOf(outer, key))}; only a stricter ${key} is allowed`,
    ];
  });
}

/** The whole settings of an inner scope, patches from the outer to the inner. What the operator no longer allows is left out. */
export function settingsOf(operator: CheckSettings, patches: readonly CheckPatch[]): CheckSettings | undefined {
  const shown = checksSchema.kind.show(operator);
  const written = checkDocument(patchSchema, shown, 'operator');
  let whole: CheckPatch = written.ok ? written.value : {};
  for (const patch of patches) {
    const refused = new Set<string>(refusals(patch, operator).map(([name]) => name));
    whole = applyPatch(whole, Object.fromEntries(Object.entries(patch).filter(([name]) => !refused.has(name))));
  }
  const checked = checkDocument(checksSchema, whole, 'settings');
  return checked.ok ? keepEqual(operator, checked.value, patches) : undefined;
}

/** Checks that no patch names stay the operator's own objects, so that a reader sees at once that nothing differs. */
function keepEqual(operator: CheckSettings, own: CheckSettings, patches: readonly CheckPatch[]): CheckSettings {
  const named = new Set(patches.flatMap((patch) => Object.keys(patch)));
  const untouched = Object.fromEntries(Object.entries(operator).filter(([name]) => !named.has(name)));
  return { ...own, ...untouched };
}

/** The settings as they travel in the snapshot. */
export const writeSettings = (settings: CheckSettings): string => JSON.stringify(checksSchema.kind.show(settings));

/** Undefined = written by a release we cannot read. */
export function readSettings(document: string): CheckSettings | undefined {
  try {
    const written: unknown = JSON.parse(document);
    const checked = checkDocument(checksSchema, written, 'snapshot');
    if (checked.ok) return checked.value;
    // A release before this one took entries of lists that match nothing.
    const rest = checkDocument(checksSchema, withReadableLists(written), 'snapshot');
    return rest.ok ? rest.value : undefined;
  } catch {
    return undefined;
  }
}

export function defaultSettings(): CheckSettings {
  const checked = checkDocument(checksSchema, {}, 'default');
  if (!checked.ok) throw new Error(`defaults of checks: ${checked.problems[0]?.message}`);
  return checked.value;
}

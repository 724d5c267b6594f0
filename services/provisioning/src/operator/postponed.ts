/**
 * What the operator file says for services themselves (`edge`, `nats` ...): read by each of them once, when it starts. A change of these sections in the
 * watched file is in effect after the next start only, and that has to be said, since everything else of the same file holds at once. Pure.
 */
import {
  ConfigError,
  type ConfigText,
  type Located,
  type LocatedMap,
  locateTop,
  pathText,
  plainOf,
} from '@postern/config';
import { foreignSections } from './document.js';

const mostFields = 20;

interface Field {
  readonly path: readonly string[];
  readonly isGone: boolean;
  readonly place: string;
}

const sameValue = (a: Located, b: Located): boolean => JSON.stringify(plainOf(a)) === JSON.stringify(plainOf(b));

/** Down to the fields: maps are gone into, everything else is one value. */
function changed(before: LocatedMap, now: LocatedMap, at: readonly string[]): Field[] {
  const names = new Set([...before.entries.keys(), ...now.entries.keys()]);
  return [...names].flatMap((name): Field[] => {
    const [old, fresh] = [before.entries.get(name), now.entries.get(name)];
    const path = [...at, name];
    if (old?.value.kind === 'map' && fresh?.value.kind === 'map') return changed(old.value, fresh.value, path);
    if (old !== undefined && fresh !== undefined && sameValue(old.value, fresh.value)) return [];
    return [{ path, place: fresh?.place ?? now.place, isGone: fresh === undefined }];
  });
}

function sectionsIn(text: ConfigText): LocatedMap | undefined {
  try {
    const top = locateTop(text);
    return { ...top, entries: new Map([...top.entries].filter(([key]) => foreignSections.includes(key))) };
  } catch (error) {
    // What is no YAML is refused whole, by others.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** One line each, with the place in the file as it is now. `taken`: as it was when the services were started. */
export function postponedFields(taken: ConfigText, now: ConfigText): readonly string[] {
  const [before, fresh] = [sectionsIn(taken), sectionsIn(now)];
  if (before === undefined || fresh === undefined) return [];
  const found = changed(before, fresh, []).map(
    ({ path, place, isGone }) => `${place}: ${pathText(path)}${isGone ? ' (gone)' : ''}`,
  );
  if (found.length <= mostFields) return found;
  return [...found.slice(0, mostFields), `and ${found.length - mostFields} more`];
}

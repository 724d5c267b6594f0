/** Is a domain one of a list, or below one? */
export function isBelowAny(domain: string, list: readonly string[]): boolean {
  if (list.length === 0) return false;
  const known = setOf(list);
  for (let name = domain; name !== ''; ) {
    if (known.has(name)) return true;
    const dot = name.indexOf('.');
    name = dot < 0 ? '' : name.slice(dot + 1);
  }
  return false;
}

const made = new WeakMap<readonly string[], ReadonlySet<string>>();

function setOf(list: readonly string[]): ReadonlySet<string> {
  const known = made.get(list) ?? new Set(list.map((name) => name.toLowerCase()));
  made.set(list, known);
  return known;
}

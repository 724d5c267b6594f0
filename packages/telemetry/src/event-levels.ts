/**
 * At which levels the source tells of each event, for the reference: read from the calls themselves, so that the page cannot disagree with what runs. Knows
 * `log.warn('a.b')`, `log[x ? 'info' : 'error']('a.b')`, `` log.info(`a.${b}`) ``, `event: 'a.b'` of a message trace, and `this.#tell('a.b')`
 * where the same file has `log.warn(event)`. Nothing at run time uses it.
 */
const call = /\blog(?:\.(debug|info|warn|error)|\[([^\]]+)\])\(\s*([^,)]+)/g;
const traced = /\bevent: (['`][^'`]+['`])/g;
const handedOn = /\blog\.(debug|info|warn|error)\(event\b/g;
const handed = /\.#\w+\(\s*('[^']+')/g;
const levelWord = /'(debug|info|warn|error)'/g;
const nameText = /['`]([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*(?:\.\$\{[^}]*\})?)['`]/g;

/** From the quietest on. */
const order = ['trace only', 'debug', 'info', 'warn', 'error'] as const;
type Level = (typeof order)[number];

const isLevel = (text: string): text is Level => order.some((level) => level === text);

/** `log[level]`: what the constant of that name in the same file may be. */
function chosenLevels(source: string, choice: string): readonly string[] {
  const written = /^\w+$/.test(choice) ? (new RegExp(`const ${choice} = ([^;]*);`).exec(source)?.[1] ?? '') : choice;
  return [...written.matchAll(levelWord)].map(([, level = '']) => level);
}

function add(found: Map<string, Set<Level>>, text: string, levels: readonly string[]): void {
  for (const [, name = ''] of text.matchAll(nameText)) {
    const prefix = name.replace(/\$\{.*$/, '*');
    const known = found.get(prefix) ?? new Set();
    for (const level of levels) if (isLevel(level)) known.add(level);
    found.set(prefix, known);
  }
}

/** Texts of source files in; the levels of an event out, none where no call names it. */
export function eventLevels(sources: Iterable<string>): (event: string) => readonly Level[] {
  const found = new Map<string, Set<Level>>();
  for (const source of sources) {
    for (const [, plain, choice, what = ''] of source.matchAll(call))
      add(found, what, plain === undefined ? chosenLevels(source, choice ?? '') : [plain]);
    const levels = [...source.matchAll(handedOn)].map(([, level = '']) => level);
    if (levels.length > 0) for (const [, what = ''] of source.matchAll(handed)) add(found, what, levels);
    for (const [, what = ''] of source.matchAll(traced)) add(found, what, ['trace only']);
  }
  return (event) => {
    const levels = found.get(event) ?? found.get(event.replace(/[^.]+$/, '*')) ?? new Set<Level>();
    const logged = order.filter((level) => level !== 'trace only' && levels.has(level));
    return logged.length > 0 ? logged : order.filter((level) => levels.has(level));
  };
}

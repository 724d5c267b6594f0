/**
 * The closed catalogue of log events. A service lists its own in events.ts; the names are what people search for and
 * alert on, so they are source code: dotted, past tense, each with one sentence. docs/reference/events.md comes from it.
 */
export type EventCatalogue = Readonly<Record<string, string>>;

export type EventOf<C extends EventCatalogue> = keyof C & string;

const pattern = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){1,3}$/;

/** `defineEvents('edge', { 'edge.message.accepted': 'A message is stored; 250 follows.' })`: every name starts with the area. */
export function defineEvents<const C extends EventCatalogue>(area: string, events: C): C {
  for (const [name, meaning] of Object.entries(events)) {
    if (!pattern.test(name) || !name.startsWith(`${area}.`))
      throw new TypeError(`event ${name} is not named ${area}.noun.verb`);
    if (meaning.trim() === '') throw new TypeError(`event ${name} has no meaning written down`);
  }
  return Object.freeze(events);
}

/** `levelsOf`: at which levels an event is told. */
export function eventsMarkdown(
  catalogues: readonly EventCatalogue[],
  levelsOf: (event: string) => readonly string[],
): string {
  const rows = catalogues
    .flatMap((catalogue) => Object.entries(catalogue))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, meaning]) => `| \`${name}\` | ${levelsOf(name).join(', ')} | ${meaning.replaceAll('|', '\\|')} |`);
  const head = [
    '# Log events',
    '',
    'Generated from the event catalogues and from the calls that tell of them. Two levels: the fields say which case it was. *trace only*: in `posternctl trace`, not in the log.',
    '',
    '| event | level | meaning |',
    '|---|---|---|',
  ];
  return `${[...head, ...rows].join('\n')}\n`;
}

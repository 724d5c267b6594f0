/**
 * What the schema knows, for people and tools: docs/reference/config/<service>.md, a JSON Schema, an example file.
 */
import { stringify } from 'yaml';
import { type ConfigDefinition, environmentName } from './define.js';
import { type Fields, mustBeWritten, objectJsonSchema } from './object.js';
import { shownDefaults } from './print.js';
import type { AnySchema, JsonSchema } from './schema.js';

const dialect = 'https://json-schema.org/draft/2020-12/schema';

export function referenceMarkdown(definition: ConfigDefinition<Fields>): string {
  const parts = [
    `# Configuration of ${definition.name}`,
    '',
    `Generated from the schema of \`${definition.name}\`. Order, the last wins: default, file (\`--config\` or \`POSTERN_CONFIG\`), environment,`,
    '`--set path=value`. An unknown key is an error. *restart*: a change takes effect when the process starts again.',
    ...sections(definition.fields, true),
  ];
  return `${parts.join('\n')}\n`;
}

/** The same for one document that no environment variable reaches, such as the operator file. */
export function documentMarkdown(title: string, text: string, schema: AnySchema): string {
  const fields = schema.kind.children().map((child) => [child.name.slice(1), child.schema] as const);
  return `${[`# ${title}`, '', text, ...sections(Object.fromEntries(fields), false)].join('\n')}\n`;
}

/** JSON Schema of such a document. */
export function documentJsonSchema(title: string, schema: AnySchema): JsonSchema {
  return { $schema: dialect, title, ...schema.kind.jsonSchema() };
}

function sections(fields: Fields, environment: boolean): string[] {
  const names = ['field', 'type', 'default', ...(environment ? ['environment'] : []), 'since', 'description'];
  const columns = [`| ${names.join(' | ')} |`, `|${names.map(() => '---|').join('')}`];
  const part = ([name, schema]: readonly [string, AnySchema]) => [
    '',
    `## ${name}`,
    '',
    ...(schema.kind.type === 'object' && schema.facts.text ? [schema.facts.text, ''] : []),
    ...columns,
    ...rows(name, [name], schema, inherited(schema, name), environment).map(({ cells }) => {
      const shown = environment ? cells : cells.filter((_, index) => index !== environmentColumn);
      return `| ${shown.map((cell) => cell.replaceAll('|', '\\|').trim()).join(' | ')} |`;
    }),
  ];
  return Object.entries(fields).flatMap(part);
}

const environmentColumn = 3;

interface Row {
  readonly cells: readonly string[];
}

interface Inherited {
  readonly restart: boolean;
  readonly settable: boolean;
  /** The nearest section above that may be left away as a whole. */
  readonly section?: string | undefined;
}

const top: Inherited = { restart: false, settable: true };

/** `path`: of the schema. An entry of a list or map is a section of its own. */
function inherited(schema: AnySchema, path: string, above: Inherited = top): Inherited {
  const isEntry = /[\]>]$/.test(path);
  const mayBeAbsent = schema.kind.type === 'object' && schema.presence === 'optional';
  return {
    restart: above.restart || schema.facts.restart === true,
    settable: above.settable && schema.kind.type === 'object',
    section: isEntry ? undefined : mayBeAbsent ? path : above.section,
  };
}

const requiredIn = (section: string | undefined): string =>
  section === undefined ? '**required**' : `**required** within \`${section}\``;

function rows(path: string, keys: readonly string[], schema: AnySchema, below: Inherited, settable: boolean): Row[] {
  const children = schema.kind
    .children()
    .filter((child) => child.name !== '[]' || child.schema.kind.children().length > 0)
    .flatMap((child) => {
      const next = inherited(child.schema, `${path}${child.name}`, below);
      return rows(`${path}${child.name}`, [...keys, child.name.slice(1)], child.schema, next, below.settable);
    });
  if (schema.kind.type === 'object') return children;
  const { text = '', since = '', initial, restart } = schema.facts;
  const cells = [
    `\`${path}\``,
    `${schema.kind.type}<br>${schema.kind.allowed()}`,
    initial === undefined
      ? mustBeWritten(schema)
        ? requiredIn(below.section)
        : ''
      : `\`${JSON.stringify(initial.raw)}\``,
    settable ? `\`${environmentName(keys)}\`` : '',
    since,
    restart || below.restart ? `${text} *restart*` : text,
  ];
  return [{ cells }, ...children];
}

export function jsonSchema(definition: ConfigDefinition<Fields>): JsonSchema {
  return {
    $schema: dialect,
    title: `Configuration of ${definition.name}`,
    ...objectJsonSchema(definition.fields),
  };
}

/** A file with every default spelled out. */
export function exampleYaml(definition: ConfigDefinition<Fields>): string {
  return stringify(shownDefaults(definition.fields), { lineWidth: 0 });
}

/**
 * What the schema knows, for people and tools: docs/reference/config/<service>.md, a JSON Schema, an example file.
 */
import { stringify } from 'yaml';
import { type ConfigDefinition, environmentName } from './define.js';
import { type Fields, mustBeWritten, objectJsonSchema } from './object.js';
import { shownDefaults } from './print.js';
import type { AnySchema, JsonSchema } from './schema.js';

const columns = '| field | type | default | environment | since | description |\n|---|---|---|---|---|---|';

export function referenceMarkdown(definition: ConfigDefinition<Fields>): string {
  const parts = [
    `# Configuration of ${definition.name}`,
    '',
    `Generated from the schema of \`${definition.name}\`. Order, the last wins: default, file (\`--config\` or \`POSTERN_CONFIG\`), environment,`,
    '`--set path=value`. An unknown key is an error. *restart*: a change takes effect when the process starts again.',
  ];
  for (const [name, schema] of Object.entries(definition.fields)) {
    parts.push('', `## ${name}`, '');
    if (schema.kind.type === 'object' && schema.facts.text) parts.push(schema.facts.text, '');
    parts.push(columns, ...rows(name, [name], schema, inherited(schema)));
  }
  return `${parts.join('\n')}\n`;
}

interface Inherited {
  readonly restart: boolean;
  readonly settable: boolean;
}

function inherited(schema: AnySchema, above: Inherited = { restart: false, settable: true }): Inherited {
  return {
    restart: above.restart || schema.facts.restart === true,
    settable: above.settable && schema.kind.type === 'object',
  };
}

function rows(path: string, keys: readonly string[], schema: AnySchema, below: Inherited, settable = true): string[] {
  const children = schema.kind
    .children()
    .filter((child) => child.name !== '[]' || child.schema.kind.children().length > 0)
    .flatMap((child) => {
      const next = inherited(child.schema, below);
      return rows(`${path}${child.name}`, [...keys, child.name.slice(1)], child.schema, next, below.settable);
    });
  if (schema.kind.type === 'object') return children;
  const { text = '', since = '', initial, restart } = schema.facts;
  const cells = [
    `\`${path}\``,
    `${schema.kind.type}<br>${schema.kind.allowed()}`,
    initial === undefined ? (mustBeWritten(schema) ? '**required**' : '') : `\`${JSON.stringify(initial.raw)}\``,
    settable ? `\`${environmentName(keys)}\`` : '',
    since,
    restart || below.restart ? `${text} *restart*` : text,
  ];
  return [`| ${cells.map((cell) => cell.replaceAll('|', '\\|').trim()).join(' | ')} |`, ...children];
}

export function jsonSchema(definition: ConfigDefinition<Fields>): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `Configuration of ${definition.name}`,
    ...objectJsonSchema(definition.fields),
  };
}

/** A file with every default spelled out. */
export function exampleYaml(definition: ConfigDefinition<Fields>): string {
  return stringify(shownDefaults(definition.fields), { lineWidth: 0 });
}

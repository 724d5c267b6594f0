/**
 * Writes DATA/config: one YAML file per process and the operator settings. Sections of services in the person's `--config`
 * file are laid over the generated ones: maps are merged, everything else is replaced.
 */
import { readFile } from 'node:fs/promises';
import { parseDocument, stringify } from 'yaml';
import { SetupError } from '../setup-error.js';
import { writeFileAtomic } from '../supervisor/atomic-file.js';
import type { ServiceName, ServicePlan } from '../supervisor/plan.js';
import type { ConfigContext, Document } from './context.js';
import { deliveryConfig } from './delivery.js';
import { edgeConfig } from './edge.js';
import { policyConfig } from './policy.js';
import { provisioningConfig } from './provisioning.js';
import { queueConfig } from './queue.js';

const writers: Readonly<Record<ServiceName, (context: ConfigContext, process: ServicePlan) => Document>> = {
  edge: edgeConfig,
  policy: policyConfig,
  queue: queueConfig,
  delivery: deliveryConfig,
  provisioning: provisioningConfig,
};

/** Sections of the person's file that go to services; all others are operator settings. */
const sharedSections = ['nats', 'redis', 'database', 'telemetry', 'lifecycle'] as const;

const isMap = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `above` laid over `below`. */
export function layer(below: Document, above: Document): Document {
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const old = merged[key];
    merged[key] = isMap(old) && isMap(value) ? layer(old, value) : value;
  }
  return merged;
}

/** The person's file as a map; a syntax error is one line with its place. */
export async function readOverlay(file: string | undefined): Promise<Document> {
  if (file === undefined) return {};
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SetupError(
      `--config ${file} cannot be read (${error.code ?? error.message}).`,
      'give the path of a YAML file.',
    );
  });
  const document = parseDocument(text, { prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new SetupError(`--config ${file}: ${problem.message.split('\n')[0]}.`, 'correct the YAML.');
  }
  const value: unknown = document.toJS();
  if (value === null) return {};
  if (!isMap(value))
    throw new SetupError(`--config ${file} is not a map of sections.`, 'begin with lines like `limits:`.');
  return value;
}

/** Write the file of one process. */
export async function writeServiceConfig(
  context: ConfigContext,
  process: ServicePlan,
  overlay: Document,
): Promise<void> {
  const generated = writers[process.service](context, process);
  const own: readonly string[] = [process.service, ...sharedSections.filter((name) => name in generated)];
  const above = Object.fromEntries(Object.entries(overlay).filter(([name]) => own.includes(name)));
  const header = `# Written by npm start for ${process.instance}; changes are overwritten. Use --config for your own settings.\n`;
  await writeFileAtomic(process.configFile, header + stringify(layer(generated, above)));
}

export async function writeOperatorSettings(file: string, settings: Document): Promise<void> {
  const header = '# Written by npm start; changes are overwritten. Use --config for your own settings.\n';
  await writeFileAtomic(file, header + stringify(settings));
}

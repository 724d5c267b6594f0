/**
 * Writes DATA/config: one YAML file per process and the operator settings. Sections of services in the person's `--config`
 * file are laid over the generated ones: maps are merged, everything else is replaced.
 */
import type { ConfigText } from '@postern/config';
import { stringify } from 'yaml';
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

/** What a process gets when no file of the person says otherwise. */
export function generatedConfig(context: ConfigContext, process: ServicePlan): Document {
  return writers[process.service](context, process);
}

/** Write the file of one process; `above` is what the person's file says for this service. */
export async function writeServiceConfig(process: ServicePlan, generated: Document, above: Document): Promise<void> {
  const header = `# Written by npm start for ${process.instance}; changes are overwritten. Use --config for your own settings.\n`;
  await writeFileAtomic(process.configFile, header + stringify(layer(generated, above)));
}

/** What the person's file was at this start: it may hold secrets, like the files beside it. */
export async function keepOwnFile(file: string, own: ConfigText): Promise<void> {
  await writeFileAtomic(file, own.text);
}

export async function writeOperatorSettings(file: string, settings: string): Promise<void> {
  const header = '# Written by npm start; changes are overwritten. Use --config for your own settings.\n';
  await writeFileAtomic(file, header + settings);
}

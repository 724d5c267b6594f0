/** What `run.json` of a cluster says: where its listeners are, which processes it is made of. Parsed, so that a wrong shape fails here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  readonly metrics: string;
}

export interface InfrastructureProcess {
  readonly name: string;
  readonly pid: number;
  readonly address: string;
}

export interface RunFile {
  readonly listeners: Readonly<Record<'mx' | 'submission' | 'submissions', readonly string[]>>;
  readonly services: readonly ServiceProcess[];
  readonly infrastructure: readonly InfrastructureProcess[];
  readonly provisioning: { readonly address: string; readonly keyFile: string };
  readonly ca: string;
  readonly demo: { readonly domain: string; readonly user: string; readonly passwordFile: string };
}

function isRunFile(value: unknown): value is RunFile {
  if (typeof value !== 'object' || value === null) return false;
  const keys = ['listeners', 'services', 'infrastructure', 'provisioning', 'ca', 'demo'];
  return keys.every((key) => key in value);
}

export async function readRunFile(dataDir: string): Promise<RunFile> {
  const value: unknown = JSON.parse(await readFile(join(dataDir, 'run.json'), 'utf8'));
  if (!isRunFile(value)) throw new Error('run.json does not have the agreed shape');
  return value;
}

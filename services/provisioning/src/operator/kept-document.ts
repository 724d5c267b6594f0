/**
 * The operator file that was applied last, kept in the database: a pod that starts while the one on disk is wrong goes on with it. Sealed, since the
 * file may hold passwords. Files it names may be gone or wrong by then, so the PEM files of its listeners are kept with it; passwords and keys of
 * tenants are in the database already. A release that no longer takes the kept text has nothing kept.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { ConfigError, type ConfigText } from '@postern/config';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { Sealer } from '../secrets/seal.js';
import { examineOperatorDocument } from './document.js';
import type { OperatorDocument } from './schema.js';

/** What is in effect, or is to be. */
export interface OperatorReading {
  readonly document: OperatorDocument;
  /** It was read from these. */
  readonly texts: readonly ConfigText[];
}

export interface KeptReading extends OperatorReading {
  /** Content of the PEM files its listeners name. */
  readonly files: ReadonlyMap<string, string>;
}

const rowName = 'in effect';
/** Key space of the operator: no tenant may have this name. */
const sealedFor = 'operator';
const [packed, unpacked] = [promisify(gzip), promisify(gunzip)];

export class KeptDocument {
  readonly #withTenant: WithTenant;
  readonly #sealer: Sealer;
  /** Digest of what the row holds, as far as this pod knows. */
  #digest: string | undefined;

  constructor(withTenant: WithTenant, sealer: Sealer) {
    this.#withTenant = withTenant;
    this.#sealer = sealer;
  }

  async keep({ texts, files }: KeptReading): Promise<void> {
    const content = JSON.stringify({ texts, files: [...files] });
    const digest = this.#sealer.digest('operator-document', content).toString('hex');
    if (digest === this.#digest) return;
    const sealed = this.#sealer.seal(sealedFor, (await packed(content)).toString('base64'));
    await this.#withTenant(operatorScope, (tx) =>
      tx.run(
        `INSERT INTO operator_settings (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
        [rowName, sealed.toString('base64')],
      ),
    );
    this.#digest = digest;
  }

  /** Undefined: none was ever applied, or it was sealed with another key, or this release does not take it. */
  async read(): Promise<KeptReading | undefined> {
    const [row] = await this.#withTenant(operatorScope, (tx) =>
      tx.rows<{ value: string }>('SELECT value FROM operator_settings WHERE name = $1', [rowName]),
    );
    const content = row && this.#sealer.open(sealedFor, Buffer.from(row.value, 'base64'));
    if (content === undefined) return undefined;
    const { texts, files } = readContent(JSON.parse((await unpacked(Buffer.from(content, 'base64'))).toString('utf8')));
    try {
      const { document, problems } = examineOperatorDocument(texts, { namedFiles: false });
      return document === undefined || problems.length > 0 ? undefined : { document, texts, files: new Map(files) };
    } catch (error) {
      if (error instanceof ConfigError) return undefined;
      throw error;
    }
  }
}

interface Content {
  readonly texts: readonly ConfigText[];
  readonly files: readonly (readonly [string, string])[];
}

/** Ours, and sealed: what is not as we write it is as good as nothing. */
function readContent(value: unknown): Content {
  if (typeof value !== 'object' || value === null || !('texts' in value) || !('files' in value)) return nothing;
  const { texts, files } = value;
  if (!Array.isArray(texts) || !Array.isArray(files)) return nothing;
  return {
    texts: texts.map((entry: Record<string, unknown>) => ({ file: String(entry.file), text: String(entry.text) })),
    files: files.map((entry: readonly unknown[]) => [String(entry[0]), String(entry[1])] as const),
  };
}

const nothing: Content = { texts: [], files: [] };

/** The whole service as a test starts it: its own configuration file, free ports, a client of the public API. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@postern/clock';
import { loadConfig } from '@postern/config';
import { createClient, createScopeSource, type GrpcClient } from '@postern/grpc';
import { freePort } from '@postern/local';
import { CredentialServiceClient } from '@postern/proto/directory/v1/credential_service';
import { ProvisioningServiceClient } from '@postern/proto/provisioning/v1/provisioning_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { type TestNats, withFolders } from '@postern/testkit';
import { provisioningConfig } from '../config.js';
import { wire } from '../wire.js';
import type { TestDatabase } from './ground.js';

export interface TestService {
  readonly api: GrpcClient<ProvisioningServiceClient>;
  readonly credentials: GrpcClient<CredentialServiceClient>;
  /** Metadata of a call with that key; by default the operator's. */
  as(key?: string): { readonly metadata: { readonly authorization: string } };
  readonly operatorFile: string;
  readonly keyFile: string;
  readonly configFile: string;
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** Its metrics in the text form. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

const scopeKey = Buffer.alloc(32, 5);

export interface PreparedService {
  readonly configFile: string;
  readonly operatorFile: string;
  readonly keyFile: string;
  readonly apiPort: number;
  readonly credentialsPort: number;
}

const folders = withFolders();

/** Writes the files of a service that is not started yet. */
export async function prepareService(
  database: TestDatabase,
  nats: TestNats,
  operatorYaml: string,
): Promise<PreparedService> {
  const dir = await folders.make('provisioning');
  const at = (name: string): string => join(dir, name);
  const [apiPort, credentialsPort] = [await freePort(), await freePort()];
  await Promise.all([
    writeFile(at('operator.yaml'), operatorYaml),
    writeFile(at('seal.key'), Buffer.alloc(32, 9)),
    writeFile(at('scope.key'), scopeKey),
    writeFile(at('db.password'), 'test-only\n'),
  ]);
  const settings = {
    nats: { servers: [nats.url.replace('nats://', '')] },
    database: {
      url: database.target.url.replace('://', `://${database.target.role}@`),
      passwordFile: at('db.password'),
    },
    scopeKeyFile: at('scope.key'),
    lifecycle: { drainTimeout: '1s' },
    telemetry: { metrics: '127.0.0.1:0' },
    provisioning: {
      listen: `127.0.0.1:${apiPort}`,
      credentialsListen: `127.0.0.1:${credentialsPort}`,
      operatorFile: at('operator.yaml'),
      sealKeyFile: at('seal.key'),
      bootstrapKeyFile: at('keys/operator.key'),
      natsMonitors: [nats.monitorUrl],
      streams: {
        maxBytes: Object.fromEntries(
          ['SPOOL', 'WORK', 'BODIES', 'OUTCOMES', 'TRACE', 'PARKED'].map((name) => [name, '16MiB']),
        ),
      },
    },
  };
  await writeFile(at('provisioning.yaml'), JSON.stringify(settings));
  return {
    configFile: at('provisioning.yaml'),
    operatorFile: at('operator.yaml'),
    keyFile: at('keys/operator.key'),
    apiPort,
    credentialsPort,
  };
}

export async function startService(database: TestDatabase, nats: TestNats, operatorYaml: string): Promise<TestService> {
  return startPrepared(await prepareService(database, nats, operatorYaml));
}

export async function startPrepared(prepared: PreparedService): Promise<TestService> {
  const { apiPort, credentialsPort } = prepared;
  const telemetry = captureTelemetry('provisioning');
  const config = loadConfig(provisioningConfig, { file: prepared.configFile, env: {}, argv: [] });
  const service = wire(config, telemetry);
  const context = { signal: new AbortController().signal, telemetry, clock: systemClock };
  try {
    await service.start(context);
  } catch (error) {
    await service.stop(context);
    throw error;
  }
  const operatorKey = (await readFile(prepared.keyFile, 'utf8')).trim();
  const api = createClient(ProvisioningServiceClient, {
    address: `127.0.0.1:${apiPort}`,
    telemetry,
    deadlineMs: 10_000,
  });
  const credentials = createClient(CredentialServiceClient, {
    address: `127.0.0.1:${credentialsPort}`,
    telemetry: captureTelemetry('edge'),
    deadlineMs: 10_000,
    scope: createScopeSource({ service: 'edge', key: scopeKey, clock: systemClock }),
  });
  return {
    api,
    credentials,
    as: (key = operatorKey) => ({ metadata: { authorization: `Bearer ${key}` } }),
    operatorFile: prepared.operatorFile,
    keyFile: prepared.keyFile,
    configFile: prepared.configFile,
    lines: telemetry.lines,
    metrics: () => telemetry.metrics.text(),
    stop: async () => {
      api.close();
      credentials.close();
      await service.drain(context);
      await service.stop(context);
    },
  };
}

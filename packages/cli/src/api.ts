/** The client of the public API that every command uses. One connection, one deadline per call, errors as the catalogue knows them. */
import { createClient } from '@postern/grpc';
import { ProvisioningServiceClient } from '@postern/proto/provisioning/v1/provisioning_service';
import { startTelemetry } from '@postern/telemetry';
import { apiFailure } from './api-failure.js';
import type { ServerSettings } from './settings.js';

export type Rpc = ProvisioningServiceClient;

export interface Api {
  readonly rpc: Rpc;
  readonly call: ReturnType<typeof open>['call'];
  close(): void;
}

function open(settings: ServerSettings, timeoutMs: number) {
  const telemetry = startTelemetry({ level: 'silent', traceSampleRatio: 0 }, 'posternctl', { processMetrics: false });
  const client = createClient(ProvisioningServiceClient, {
    address: settings.server,
    telemetry,
    deadlineMs: timeoutMs,
    ...(settings.ca === undefined ? {} : { tls: { ca: settings.ca } }),
  });
  return client;
}

export function openApi(settings: ServerSettings, timeoutMs: number): Api {
  const client = open(settings, timeoutMs);
  const authorization = { authorization: `Bearer ${settings.key}` };
  const call: Api['call'] = (method, request, per = {}) =>
    client
      .call(method, request, { ...per, metadata: { ...authorization, ...per.metadata } })
      .catch((error: unknown) => Promise.reject(apiFailure(error, settings, timeoutMs)));
  return { rpc: client.rpc, call, close: () => client.close() };
}

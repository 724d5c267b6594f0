/**
 * The public API: every method authenticates, checks the role, runs, and is counted. What a method does is in `resources/`, what is passed
 * on in `forward.ts`.
 */
import { type PosternError, toPosternError } from '@postern/errors';
import { type CallContext, type Handlers, unary } from '@postern/grpc';
import type { ProvisioningServiceService } from '@postern/proto/provisioning/v1/provisioning_service';
import type { Logger } from '@postern/telemetry';
import { type Authenticate, assertAccess } from './access.js';
import type { ProvisioningEvent } from './events.js';
import type { Forwarding } from './forward.js';
import type { ProvisioningMetrics } from './metrics.js';
import { aliasMethods } from './resources/aliases.js';
import { apiKeyMethods } from './resources/api-keys.js';
import type { ApiMethod, ResourceParts } from './resources/api-method.js';
import { appPasswordMethods } from './resources/app-passwords.js';
import { auditMethods } from './resources/audit-entries.js';
import { checkSettingsMethods } from './resources/check-settings.js';
import { domainMethods } from './resources/domains.js';
import { routeMethods } from './resources/routes.js';
import { ruleMethods } from './resources/rules.js';
import { tenantMethods } from './resources/tenants.js';
import { userMethods } from './resources/users.js';
import { type StatusParts, statusMethods } from './status.js';

export interface ApiParts {
  readonly resources: ResourceParts;
  readonly forwarding: Forwarding;
  readonly status: StatusParts;
  readonly authenticate: Authenticate;
  readonly log: Logger<ProvisioningEvent>;
  readonly metrics: ProvisioningMetrics;
}

export function provisioningHandlers(parts: ApiParts): Handlers<typeof ProvisioningServiceService> {
  const { resources } = parts;
  const guard = <Q, R>(name: string, method: ApiMethod<Q, R>) =>
    unary<Q, R>((request, context) => guarded(parts, name, method, request, context));
  const tenants = tenantMethods(resources);
  const domains = domainMethods(resources);
  const users = userMethods(resources);
  const aliases = aliasMethods(resources);
  const routes = routeMethods(resources);
  const rules = ruleMethods(resources);
  const checkSettings = checkSettingsMethods(resources);
  const keys = apiKeyMethods(resources);
  const appPasswords = appPasswordMethods(resources);
  const forwarded = parts.forwarding.methods;
  return {
    createTenant: guard('CreateTenant', tenants.createTenant),
    getTenant: guard('GetTenant', tenants.getTenant),
    listTenants: guard('ListTenants', tenants.listTenants),
    updateTenant: guard('UpdateTenant', tenants.updateTenant),
    createDomain: guard('CreateDomain', domains.createDomain),
    getDomain: guard('GetDomain', domains.getDomain),
    listDomains: guard('ListDomains', domains.listDomains),
    updateDomain: guard('UpdateDomain', domains.updateDomain),
    verifyDomain: guard('VerifyDomain', domains.verifyDomain),
    deleteDomain: guard('DeleteDomain', domains.deleteDomain),
    createUser: guard('CreateUser', users.createUser),
    getUser: guard('GetUser', users.getUser),
    listUsers: guard('ListUsers', users.listUsers),
    updateUser: guard('UpdateUser', users.updateUser),
    setPassword: guard('SetPassword', users.setPassword),
    deleteUser: guard('DeleteUser', users.deleteUser),
    createAppPassword: guard('CreateAppPassword', appPasswords.createAppPassword),
    listAppPasswords: guard('ListAppPasswords', appPasswords.listAppPasswords),
    deleteAppPassword: guard('DeleteAppPassword', appPasswords.deleteAppPassword),
    putAlias: guard('PutAlias', aliases.putAlias),
    listAliases: guard('ListAliases', aliases.listAliases),
    deleteAlias: guard('DeleteAlias', aliases.deleteAlias),
    putRoute: guard('PutRoute', routes.putRoute),
    listRoutes: guard('ListRoutes', routes.listRoutes),
    deleteRoute: guard('DeleteRoute', routes.deleteRoute),
    putRule: guard('PutRule', rules.putRule),
    listRules: guard('ListRules', rules.listRules),
    deleteRule: guard('DeleteRule', rules.deleteRule),
    getCheckSettings: guard('GetCheckSettings', checkSettings.getCheckSettings),
    putCheckSettings: guard('PutCheckSettings', checkSettings.putCheckSettings),
    createApiKey: guard('CreateApiKey', keys.createApiKey),
    listApiKeys: guard('ListApiKeys', keys.listApiKeys),
    deleteApiKey: guard('DeleteApiKey', keys.deleteApiKey),
    listAudit: guard('ListAudit', auditMethods(resources).listAudit),
    queueSummary: guard('QueueSummary', forwarded.queueSummary),
    listQueue: guard('ListQueue', forwarded.listQueue),
    operateQueue: guard('OperateQueue', forwarded.operateQueue),
    listParked: guard('ListParked', forwarded.listParked),
    getParked: guard('GetParked', forwarded.getParked),
    retryParked: guard('RetryParked', forwarded.retryParked),
    dropParked: guard('DropParked', forwarded.dropParked),
    traceMessage: guard('TraceMessage', forwarded.traceMessage),
    getLedger: guard('GetLedger', forwarded.getLedger),
    simulateSession: guard('SimulateSession', forwarded.simulateSession),
    setSessionRecording: guard('SetSessionRecording', forwarded.setSessionRecording),
    listSessionRecordings: guard('ListSessionRecordings', forwarded.listSessionRecordings),
    getSessionRecording: guard('GetSessionRecording', forwarded.getSessionRecording),
    showLimits: guard('ShowLimits', forwarded.showLimits),
    listBans: guard('ListBans', forwarded.listBans),
    addBan: guard('AddBan', forwarded.addBan),
    liftBan: guard('LiftBan', forwarded.liftBan),
    showGreylist: guard('ShowGreylist', forwarded.showGreylist),
    clearGreylist: guard('ClearGreylist', forwarded.clearGreylist),
    getStatus: guard('GetStatus', statusMethods(parts.status).getStatus),
  };
}

async function guarded<Q, R>(
  { authenticate, log, metrics }: ApiParts,
  name: string,
  method: ApiMethod<Q, R>,
  request: Q,
  context: CallContext,
): Promise<R> {
  const count = (outcome: 'ok' | 'refused' | 'denied' | 'failed'): void =>
    metrics.requests.with({ method: name, outcome }).inc();
  try {
    const caller = await authenticate(context);
    assertAccess(caller, method.access);
    const response = await method.run(request, caller, context);
    count('ok');
    return response;
  } catch (caught) {
    const error = toPosternError(caught);
    if (error.id === 'unauthenticated' || error.id === 'permission-denied') {
      count('denied');
      log.warn('provisioning.request.denied', { method: name, peer: context.peer, reason: error.detail });
    } else if (error.temporary) {
      count('failed');
      log.error('provisioning.request.failed', { method: name, error: causeText(error) });
    } else count('refused');
    throw error;
  }
}

function causeText(error: PosternError): string {
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}

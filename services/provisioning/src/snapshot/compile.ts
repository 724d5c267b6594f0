/**
 * Builds the Snapshot from the operator document and the rows of all tenants. Pure; does not publish. Names of next hops are unique in it:
 * the operator's as they are, a tenant's as `<tenant>/<route>`, and `Domain.next_hop` uses them, so a reader looks up and never guesses.
 */
import { writeSettings } from '@postern/check-settings';
import { formatHostPort } from '@postern/config';
import { type MessageRate, type NamedNextHop, type Rule, Snapshot } from '@postern/proto/config/v1/snapshot';
import { HopProtocol, type NextHop, TlsMode } from '@postern/proto/mail/v1/item';
import { fileRules, rightsOfTenant } from '../operator/file-rules.js';
import type { OperatorDocument } from '../operator/schema.js';
import { dkimSecretKey, routeSecretKey } from '../secrets/seal.js';
import { differingContentOf, differingContentOfTenant } from './differing-content.js';
import { deadlinesOf, errorControlOf, ipSetsOf, messageLimitsOf, overloadOf, tenantRate } from './flow.js';
import { limitsOf, listenerAccess, listenersOf } from './listeners.js';
import { postmasterOf } from './postmaster.js';

/** Raised when a reader must know something it could not ignore. */
export const readerVersion = 1;
export const operatorTenant = 'system';

export interface StoredHost {
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  readonly tls: string;
  readonly username: string;
  /** Base64 of the sealed password. */
  readonly sealed?: string;
}

export interface SnapshotRows {
  readonly tenants: readonly {
    readonly name: string;
    readonly state: string;
    readonly weight: number;
    readonly message_limit: MessageRate | null;
    readonly user_message_limit: MessageRate | null;
    readonly records_sessions: boolean;
  }[];
  /** Verified ones only. */
  readonly domains: readonly {
    readonly name: string;
    readonly tenant: string;
    readonly next_hop: string;
    readonly validate_recipients: boolean;
    readonly catch_all: string;
    readonly dkim_keys: readonly { readonly selector: string; readonly sealed: string }[];
  }[];
  /** The one that has taken mail longest; null = none does. */
  readonly oldest_domain: string | null;
  readonly routes: readonly {
    readonly tenant: string;
    readonly name: string;
    readonly hosts: readonly StoredHost[];
    readonly egress_pool: string;
  }[];
  /** Of tenants and domains. */
  readonly check_settings: readonly { readonly tenant: string; readonly scope: string; readonly document: unknown }[];
  readonly users_set_checks: boolean;
  readonly rules: readonly {
    readonly tenant: string;
    readonly scope: string;
    readonly id: string;
    readonly version: number;
    readonly document: unknown;
  }[];
}

const tlsModes: Readonly<Record<string, TlsMode>> = {
  none: TlsMode.NONE,
  opportunistic: TlsMode.OPPORTUNISTIC,
  required: TlsMode.REQUIRED,
  verified: TlsMode.VERIFIED,
};

export const tenantHopName = (tenant: string, route: string): string => `${tenant}/${route}`;

function nextHop(tenant: string, route: string, host: StoredHost, index: number, sealed: boolean): NextHop {
  return {
    host: host.host,
    port: host.port,
    protocol: host.protocol === 'lmtp' ? HopProtocol.LMTP : HopProtocol.SMTP,
    tlsMode: tlsModes[host.tls] ?? TlsMode.OPPORTUNISTIC,
    username: host.username,
    passwordSecret: sealed ? routeSecretKey(tenant, route, index) : '',
    tlsServerName: '',
    implicitTls: false,
  };
}

function nextHopsOf(document: OperatorDocument, rows: SnapshotRows): NamedNextHop[] {
  const operator = Object.entries(document.nextHops).map(([name, hop]) => ({
    name,
    tenant: '',
    egressPool: hop.egressPool,
    hosts: hop.hosts.map((host, index) =>
      nextHop(operatorTenant, name, host, index, host.password !== undefined || host.passwordFile !== undefined),
    ),
  }));
  const tenants = rows.routes.map((route) => ({
    name: tenantHopName(route.tenant, route.name),
    tenant: route.tenant,
    egressPool: route.egress_pool,
    hosts: route.hosts.map((host, index) => nextHop(route.tenant, route.name, host, index, host.sealed !== undefined)),
  }));
  return [...operator, ...tenants];
}

function rulesOf(document: OperatorDocument, rows: SnapshotRows): Rule[] {
  const server = fileRules(document.rules).map(({ index, tenant, scope, rule }) => ({
    id: ruleId(rule) ?? `server-${index + 1}`,
    version: 1,
    scope: ruleScope(tenant, scope),
    tenant,
    target: scope,
    document: JSON.stringify(rule),
  }));
  const stored = rows.rules.map((rule) => ({
    id: rule.id,
    version: rule.version,
    scope: ruleScope(rule.tenant, rule.scope),
    tenant: rule.tenant,
    target: rule.scope,
    document: JSON.stringify(rule.document),
  }));
  // Outer scope first; rows come in order of tenant, and the server's is the empty one.
  return [...server, ...stored];
}

export function ruleScope(tenant: string, scope: string): string {
  if (tenant === '') return 'server';
  if (scope === '') return 'tenant';
  return scope.includes('@') ? 'user' : 'domain';
}

function ruleId(rule: unknown): string | undefined {
  return typeof rule === 'object' && rule !== null && 'id' in rule && typeof rule.id === 'string' ? rule.id : undefined;
}

/**
 * Version and time are set by the publisher. `files`: content of the PEM files the document's listeners name. `egressPools`: those there are; none
 * given = not said.
 */
export function compileSnapshot(
  document: OperatorDocument,
  hostname: string,
  rows: SnapshotRows,
  files: ReadonlyMap<string, string> = new Map(),
  egressPools: readonly string[] = [],
): Snapshot {
  const own = new Set(rows.routes.map((route) => tenantHopName(route.tenant, route.name)));
  const hopOf = (tenant: string, name: string): string => {
    if (name === '') return document.defaultNextHop;
    return own.has(tenantHopName(tenant, name)) ? tenantHopName(tenant, name) : name;
  };
  const patches = new Map(
    rows.check_settings.map((row) => [`${row.tenant} ${row.scope}`, JSON.stringify(row.document)]),
  );
  const checks = (tenant: string, scope: string): string => patches.get(`${tenant} ${scope}`) ?? '';
  return {
    version: 0,
    readerVersion,
    publishedAtMs: 0,
    hostname,
    listeners: listenersOf(document, files),
    accessRules: [
      ...document.access.map(({ level, target, priority, network, action }) => ({
        level,
        target,
        priority,
        network,
        allow: action === 'allow',
      })),
      ...listenerAccess(document),
    ],
    trustedProxies: [...document.trustedProxies],
    relayNetworks: document.relayNetworks.map(({ network, tenant }) => ({ network, tenant })),
    relayCertificates: document.relayCertificates.map(({ fingerprint, tenant }) => ({
      fingerprint: fingerprint.replaceAll(':', '').toLowerCase(),
      tenant,
    })),
    snatGuardOff: !document.snatGuard,
    limits: limitsOf(document.limits),
    ipSets: ipSetsOf(document),
    messageLimits: messageLimitsOf(document),
    errorControl: errorControlOf(document),
    deadlines: deadlinesOf(document),
    overload: overloadOf(document),
    domains: rows.domains.map((domain) => ({
      name: domain.name,
      tenant: domain.tenant,
      nextHop: hopOf(domain.tenant, domain.next_hop),
      validateRecipients: domain.validate_recipients,
      catchAll: domain.catch_all,
      dkimKeys: domain.dkim_keys.map(({ selector }) => ({
        selector,
        secret: dkimSecretKey(domain.tenant, domain.name, selector),
      })),
      checks: checks(domain.tenant, domain.name),
    })),
    tenants: rows.tenants.map(({ name, state, weight, message_limit, user_message_limit, records_sessions }) => ({
      name,
      state,
      weight,
      checks: checks(name, ''),
      messageRate: tenantRate(document, name) ?? message_limit ?? undefined,
      userMessageRate: user_message_limit ?? undefined,
      ruleActions: [...rightsOfTenant(document, name)],
      recordsSessions: records_sessions,
      differingContent: differingContentOfTenant(document, name),
    })),
    nextHops: nextHopsOf(document, rows),
    checks: {
      spf: checkOf(document.checks.spf),
      dkim: checkOf(document.checks.dkim),
      dmarc: checkOf(document.checks.dmarc),
      dnsbl: checkOf(document.checks.dnsbl),
      dnsblZones: [...document.checks.dnsbl.zones],
      document: writeSettings(document.checks),
    },
    rules: rulesOf(document, rows),
    usersSetChecks: rows.users_set_checks,
    asnDatabase: document.asnDatabase ?? '',
    differingContent: differingContentOf(document),
    recording: {
      sessions: document.recording.sessions,
      bytes: document.recording.bytes,
      ageMs: document.recording.age,
      content: document.recording.content,
    },
    retry: {
      firstMs: document.retry.first,
      capMs: document.retry.cap,
      lifetimeMs: document.retry.lifetime,
      delayNoticeMs: document.retry.delayNotice,
    },
    dns: {
      servers: document.dns.servers.map(formatHostPort),
      timeoutMs: document.dns.timeout,
      hedgeMs: document.dns.hedge,
      serveStaleMs: document.dns.serveStale,
      ownCacheOnly: !document.dns.sharedCache,
    },
    remoteDelivery: document.remoteDelivery,
    defaultNextHop: document.defaultNextHop,
    egressPools: [...egressPools],
    postmaster: postmasterOf(document, hostname, rows),
    admitWhenPolicyAway: document.admitWhenPolicyAway,
  };
}

/** As readers of the first release know it: reject or mark. */
function checkOf(check: { readonly enabled: boolean; readonly onFail: string; readonly timeout: number }) {
  const onFail = check.onFail === 'reject' ? 'reject' : 'mark';
  return { enabled: check.enabled, onFail, timeoutMs: check.timeout };
}

/** Equal content = nothing to publish. */
export function sameContent(a: Snapshot, b: Snapshot): boolean {
  const bytes = (snapshot: Snapshot): Uint8Array =>
    Snapshot.encode({ ...snapshot, version: 0, publishedAtMs: 0 }).finish();
  return Buffer.compare(bytes(a), bytes(b)) === 0;
}

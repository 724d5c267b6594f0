/**
 * What the limits of one address, user or tenant hold now, over all pods: the same scopes and counters the edge decides by, from the same
 * snapshot. Changes nothing.
 */
import type { Clock } from '@postern/clock';
import {
  type AttemptReading,
  type BanBook,
  ConnectionLimiter,
  clientPrefix,
  compileIpSets,
  type IpSetTable,
  ipOctets,
  type LimitStore,
  LoginAttempts,
  listenerScopes,
  memberRate,
  memberScopes,
  PrefixTrie,
  parseNetworks,
  RateLimiter,
  type RateLimits,
  type RateSubject,
  rateLimitsOf,
  tenantUser,
} from '@postern/flow-control';
import { type AccessTable, compileAccess } from '@postern/flow-control/session';
import { ErrorControl, type Snapshot } from '@postern/proto/config/v1/snapshot';
import type { LimitReading } from '@postern/proto/policy/v1/limit_service';

const defaultIpv6Prefix = 64;

/** Clients whose address says nothing about who does wrong. */
const loopback = ['127.0.0.0/8', '::1'];

export interface AddressView {
  readonly countedAs: string;
  readonly ipSet: string;
  /** Why its errors are not counted; empty = they are. */
  readonly exempt: string;
  /** Listeners it may not connect to, each with why. */
  readonly denied: string[];
  readonly limits: LimitReading[];
}

function isIn(networks: readonly string[], address: string): boolean {
  const octets = ipOctets(address);
  if (octets === undefined) return false;
  const trie = new PrefixTrie<true>();
  for (const text of networks) for (const network of parseNetworks(text) ?? []) trie.insert(network, true);
  return trie.find(octets) === true;
}

export class LimitView {
  readonly #snapshot: Snapshot;
  readonly #sets: IpSetTable;
  readonly #connections: ConnectionLimiter;
  readonly #rates: RateLimiter;
  readonly #attempts: LoginAttempts;
  readonly #bans: BanBook;
  #access: AccessTable | undefined;

  constructor(snapshot: Snapshot, stores: { limits: LimitStore; lasting: LimitStore }, bans: BanBook, clock: Clock) {
    this.#snapshot = snapshot;
    this.#sets = compileIpSets(snapshot.ipSets);
    // Never started: it only reads.
    this.#connections = new ConnectionLimiter({ store: stores.limits, clock, service: 'smtp', incarnation: 'reader' });
    this.#rates = new RateLimiter({ store: stores.limits, clock, livePods: () => 1 });
    this.#attempts = new LoginAttempts(stores.lasting, clock);
    this.#bans = bans;
  }

  countedAs(address: string): string {
    return clientPrefix(address, this.#ipv6Prefix);
  }

  get #ipv6Prefix(): number {
    return this.#snapshot.limits?.ipv6Prefix || defaultIpv6Prefix;
  }

  tenantOfDomain(domain: string): string | undefined {
    return this.#snapshot.domains.find(({ name }) => name === domain.toLowerCase())?.tenant;
  }

  hasTenant(name: string): boolean {
    return this.#snapshot.tenants.some((tenant) => tenant.name === name);
  }

  /** Name of the trusted set the address is in on some listener. */
  trustedSet(address: string): string | undefined {
    return this.#snapshot.listeners
      .map(({ name }) => this.#sets.find(name, address))
      .find((set) => set?.trusted === true)?.name;
  }

  isLoopback(address: string): boolean {
    return isIn(loopback, address);
  }

  isTrustedProxy(address: string): boolean {
    return isIn(this.#snapshot.trustedProxies, address);
  }

  /** Whose errors the edge does not count, nor bans for. */
  #exempt(address: string): string {
    if (this.isLoopback(address)) return 'loopback';
    if (this.isTrustedProxy(address)) return 'trusted proxy';
    const filtered = this.#snapshot.listeners.find(({ xclientNetworks }) => isIn(xclientNetworks, address));
    if (filtered !== undefined) return `filter of listener ${filtered.name}`;
    const set = this.trustedSet(address);
    return set === undefined ? '' : `trusted IP set ${set}`;
  }

  #denied(address: string): string[] {
    this.#access ??= compileAccess(this.#snapshot.accessRules, this.#sets);
    const access = this.#access;
    return this.#snapshot.listeners.flatMap(({ name, disabled }) => {
      const denial = disabled ? undefined : access.denial(name, address);
      return denial === undefined ? [] : [`${name}: ${denial}`];
    });
  }

  async address(address: string): Promise<AddressView> {
    const { limits: service, listeners, messageLimits } = this.#snapshot;
    const countedAs = this.countedAs(address);
    const found = new Map<string, LimitReading>();
    for (const { name, limits } of listeners) {
      const set = this.#sets.find(name, address);
      const own = listenerScopes(service, name, limits);
      const scopes = set === undefined ? own : memberScopes(own, set);
      for (const reading of await this.#connections.show({ address, scopes, ipv6Prefix: this.#ipv6Prefix }))
        found.set(`${reading.scope} ${reading.kind}`, reading);
    }
    const set = listeners.map(({ name }) => this.#sets.find(name, address)).find((one) => one !== undefined);
    const everybody = rateLimitsOf(messageLimits?.perAddress);
    const rate = set === undefined ? everybody : memberRate(everybody, set);
    const ownPrefix = set?.messageRate === undefined ? 0 : (set.limits?.ipv6Prefix ?? 0);
    const id = clientPrefix(address, ownPrefix || this.#ipv6Prefix);
    const rates = await this.#rate({ kind: 'address', id }, rate);
    const exempt = this.#exempt(address);
    const errors = exempt === '' ? await this.#errors(countedAs) : [];
    const denied = this.#denied(address);
    return { countedAs, ipSet: set?.name ?? '', exempt, denied, limits: [...found.values(), ...rates, ...errors] };
  }

  async user(login: string): Promise<LimitReading[]> {
    const control = this.#control;
    const limit = control.failedLoginsPerAccount;
    const tenant = this.tenantOfDomain(login.slice(login.lastIndexOf('@') + 1));
    const ofTenant = this.#snapshot.tenants.find(({ name }) => name === tenant)?.userMessageRate;
    const ofUser: RateSubject = { kind: 'user', id: login };
    const rates = [
      ...(await this.#rate(ofUser, rateLimitsOf(this.#snapshot.messageLimits?.perUser), 'user, by the operator')),
      ...(await this.#rate(tenantUser(login), rateLimitsOf(ofTenant), 'user, by its tenant')),
    ];
    if (limit === 0) return rates;
    const window = { limit, windowMs: control.intervalMs };
    const ofAnyone = await this.#attempts.show(login, window, 'anyone');
    const ofTrusted = await this.#attempts.show(login, window, 'trusted');
    const reading = (scope: string, { failures, resetMs }: AttemptReading): LimitReading => ({
      scope,
      kind: 'failed_login',
      limit,
      used: failures,
      resetMs,
    });
    const apart = ofTrusted.failures === 0 ? [] : [reading('account, from trusted clients', ofTrusted)];
    return [...rates, reading('account', ofAnyone), ...apart];
  }

  tenant(name: string): Promise<LimitReading[]> {
    const own = this.#snapshot.tenants.find((tenant) => tenant.name === name)?.messageRate;
    const rate = own === undefined ? this.#snapshot.messageLimits?.perTenant : own;
    return this.#rate({ kind: 'tenant', id: name }, rateLimitsOf(rate));
  }

  get #control(): ErrorControl {
    return this.#snapshot.errorControl ?? ErrorControl.fromPartial({});
  }

  async #rate(
    subject: RateSubject,
    limits: RateLimits | undefined,
    scope: string = subject.kind,
  ): Promise<LimitReading[]> {
    if (limits === undefined) return [];
    const readings = await this.#rates.show(subject, limits);
    return readings.map(({ kind, limit, used, resetMs }) => ({ scope, kind, limit, used, resetMs }));
  }

  async #errors(prefix: string): Promise<LimitReading[]> {
    const { badCommands, failedLogins, unknownRecipients, intervalMs } = this.#control;
    const limits = { bad_command: badCommands, failed_login: failedLogins, unknown_recipient: unknownRecipients };
    const readings = await this.#bans.errors(prefix, limits, intervalMs);
    return readings.map((reading) => ({ scope: 'errors', ...reading }));
  }
}

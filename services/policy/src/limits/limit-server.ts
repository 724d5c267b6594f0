/**
 * LimitService on the wire: called by provisioning only. Addresses and bans are for operators; a tenant sees itself and its users. A trusted
 * proxy cannot be banned: everybody behind it would be. Loopback and members of a trusted set are banned only if that is surely meant.
 */
import { isIP, isIPv6 } from 'node:net';
import { isPosternError, PosternError } from '@postern/errors';
import { addressText, type BanBook, type Ban as BanFacts, type SuspicionBook } from '@postern/flow-control';
import { type CallContext, coversTenant, everyTenant, type Handlers, unary } from '@postern/grpc';
import type {
  AddBanRequest,
  AddBanResponse,
  Ban,
  ClearGreylistRequest,
  LiftBanRequest,
  LiftBanResponse,
  LimitServiceService,
  ListBansRequest,
  ListBansResponse,
  ListSuspicionsRequest,
  ListSuspicionsResponse,
  ShowGreylistRequest,
  ShowLimitsRequest,
  ShowLimitsResponse,
} from '@postern/proto/policy/v1/limit_service';
import type { GreylistDesk } from '../greylist/greylist-desk.js';
import type { LimitView } from './limit-view.js';

const mostListed = 10_000;
const longestBanMs = 31_536_000_000;
const defaultReason = 'banned by an operator';

export interface LimitServerOptions {
  readonly bans: BanBook;
  readonly greylist: GreylistDesk;
  readonly suspicions: SuspicionBook;
  /** Why the operator's rules in use are not those of the newest snapshot; undefined = they are. */
  staleRules(): string | undefined;
  view(): LimitView | undefined;
}

function assertCaller({ scope }: CallContext, tenant: string): void {
  if (scope.service !== 'provisioning') throw new PosternError('permission-denied', `not for ${scope.service}`);
  if (coversTenant(scope, tenant)) return;
  const what = tenant === everyTenant ? 'addresses and bans are for operators' : 'not of the tenant of the key';
  throw new PosternError('permission-denied', what);
}

/** Why a ban would hardly be meant; undefined = it may be. */
function doubt(view: LimitView, address: string, client: string): string | undefined {
  if (view.isLoopback(address))
    return `${address} is loopback: every program on the hosts of the edges would be banned`;
  const set = view.trustedSet(address) ?? view.trustedSet(client.split('/')[0] ?? '');
  return set === undefined ? undefined : `${address} is in the trusted IP set ${set}`;
}

const onWire = ({ prefix, remainingMs, ageMs, by, reason }: BanFacts): Ban => ({
  client: addressText(prefix),
  remainingMs: Math.max(0, Math.round(remainingMs)),
  ageMs: Math.round(ageMs),
  by,
  reason,
});

/** What greylisting keeps entries of: an address, or a domain SPF passed for. Nothing is found of anything else, and nobody would know why. */
function assertOrigin(client: string): void {
  const isDomain = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\.?$/i.test(
    client,
  );
  if (isIP(client) !== 0 || isDomain) return;
  const what = `client: ${JSON.stringify(client)} is not allowed; expected an IP address, or a domain SPF passed for`;
  throw new PosternError('invalid-argument', what);
}

/** Redis away is said as what it is. */
async function stored<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (isPosternError(error)) throw error;
    throw new PosternError('store-unavailable', 'Redis does not answer; limits and bans are in it', { cause: error });
  }
}

export function limitHandlers({
  bans,
  greylist,
  suspicions,
  staleRules,
  view,
}: LimitServerOptions): Handlers<typeof LimitServiceService> {
  const current = (): LimitView => {
    const now = view();
    if (now === undefined) throw new PosternError('store-unavailable', 'no configuration snapshot yet');
    return now;
  };
  /** An address, or a client as it is listed: of IPv6 its prefix. Bans are found by exactly that, so no other network can be one. */
  const addressOf = (text: string): string => {
    const [address = '', length] = text.split('/');
    const refused = `address: ${JSON.stringify(text)} is not allowed; expected an IP address`;
    if (isIP(address) === 0) throw new PosternError('invalid-argument', refused);
    const ofClient = current().countedAs(address).split('/')[1] ?? '32';
    if (length === undefined || length === ofClient) return address;
    const whole = isIPv6(address) ? ` or its /${ofClient}` : '';
    throw new PosternError(
      'invalid-argument',
      `${refused}${whole}; to refuse a whole network set an access rule (access: [{ network, action: deny }] in the operator settings)`,
    );
  };

  const show = async (subject: string, context: CallContext): Promise<ShowLimitsResponse> => {
    const now = current();
    const empty = { countedAs: subject, ipSet: '', ban: undefined, exempt: '', denied: [] };
    if (isIP(subject.split('/')[0] ?? '') !== 0) {
      assertCaller(context, everyTenant);
      const { countedAs, ipSet, limits, exempt, denied } = await now.address(addressOf(subject));
      const ban = (await bans.list()).find(({ prefix }) => prefix === countedAs);
      return {
        kind: 'address',
        countedAs: addressText(countedAs),
        ipSet,
        ban: ban === undefined ? undefined : onWire(ban),
        limits,
        exempt,
        denied,
      };
    }
    const at = subject.lastIndexOf('@');
    if (at > 0) {
      assertCaller(context, now.tenantOfDomain(subject.slice(at + 1)) ?? everyTenant);
      return { kind: 'user', ...empty, limits: await now.user(subject) };
    }
    assertCaller(context, now.hasTenant(subject) ? subject : everyTenant);
    if (!now.hasTenant(subject)) {
      const what = `subject: ${JSON.stringify(subject)} is not allowed; expected an IP address, a login user@domain or the name of a tenant`;
      throw new PosternError('invalid-argument', what);
    }
    return { kind: 'tenant', ...empty, limits: await now.tenant(subject) };
  };

  return {
    showLimits: unary(({ subject }: ShowLimitsRequest, context) => stored(show(subject, context))),
    listBans: unary((_request: ListBansRequest, context) => {
      assertCaller(context, everyTenant);
      const list = async (): Promise<ListBansResponse> => {
        const all = (await bans.list()).sort((a, b) => a.remainingMs - b.remainingMs);
        return { bans: all.slice(0, mostListed).map(onWire), total: all.length };
      };
      return stored(list());
    }),
    listSuspicions: unary((_request: ListSuspicionsRequest, context) => {
      assertCaller(context, everyTenant);
      const list = async (): Promise<ListSuspicionsResponse> => ({
        suspicions: [...(await suspicions.list())],
        staleRules: staleRules() ?? '',
      });
      return stored(list());
    }),
    addBan: unary((request: AddBanRequest, context) => {
      assertCaller(context, everyTenant);
      const address = addressOf(request.address);
      const { lengthMs, actor } = request;
      if (lengthMs < 1_000 || lengthMs > longestBanMs)
        throw new PosternError('invalid-argument', 'length: expected one second to one year');
      if (current().isTrustedProxy(address))
        throw new PosternError('invalid-argument', `address: ${address} is a trusted proxy; expected that of a client`);
      const client = current().countedAs(address);
      const why = request.force ? undefined : doubt(current(), address, client);
      if (why !== undefined)
        throw new PosternError(
          'invalid-argument',
          `address: ${why}; expected --force (force in the API) if that is meant`,
        );
      const add = async (): Promise<AddBanResponse> => {
        await bans.add(client, lengthMs, actor, request.reason || defaultReason);
        return { client: addressText(client) };
      };
      return stored(add());
    }),
    showGreylist: unary((request: ShowGreylistRequest, context) => {
      assertCaller(context, everyTenant);
      for (const field of ['client', 'reversePath', 'recipient'] as const)
        if (request[field] === '') throw new PosternError('invalid-argument', `${field}: missing`);
      assertOrigin(request.client);
      return stored(greylist.show(request));
    }),
    clearGreylist: unary((request: ClearGreylistRequest, context) => {
      assertCaller(context, everyTenant);
      if (request.all === (request.client !== ''))
        throw new PosternError('invalid-argument', 'expected either a client or all');
      if ((request.reversePath === '') !== (request.recipient === ''))
        throw new PosternError('invalid-argument', 'expected reverse-path and recipient together');
      if (!request.all) assertOrigin(request.client);
      const clear = async () => ({ cleared: await (request.all ? greylist.clearAll() : greylist.clear(request)) });
      return stored(clear());
    }),
    liftBan: unary((request: LiftBanRequest, context) => {
      assertCaller(context, everyTenant);
      const lift = async (): Promise<LiftBanResponse> => {
        const client = current().countedAs(addressOf(request.address));
        return { client: addressText(client), wasBanned: await bans.lift(client) };
      };
      return stored(lift());
    }),
  };
}

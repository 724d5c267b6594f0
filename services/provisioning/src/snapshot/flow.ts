/** IP sets, message limits, error control, deadlines and marks of overload as the snapshot carries them. Pure. */
import type {
  ErrorControl,
  IpSet,
  Limits,
  MessageLimits,
  MessageRate,
  Overload,
  SessionDeadlines,
} from '@postern/proto/config/v1/snapshot';
import type { OperatorDocument } from '../operator/schema.js';
import { limitsOf } from './listeners.js';

type Rate = OperatorDocument['messageLimits']['perUser'];

const rateOf = ({ interval, ...rate }: Rate): MessageRate => ({ ...rate, intervalMs: interval });

export function messageLimitsOf({ messageLimits }: OperatorDocument): MessageLimits {
  const { perAddress, perUser, perTenant } = messageLimits;
  return { perAddress: rateOf(perAddress), perUser: rateOf(perUser), perTenant: rateOf(perTenant) };
}

/** What the operator file says of one tenant, which the API does not overrule. */
export function tenantRate({ tenants }: OperatorDocument, name: string): MessageRate | undefined {
  const rate = tenants.find((tenant) => tenant.name === name)?.messageLimit;
  return rate === undefined ? undefined : rateOf(rate);
}

/** Of those that may be left out of a set's limits: 0 is written where members are to have none. */
const liftable = [
  ...(['connectionsPerIp', 'connectionRatePerIp', 'messagesPerSession', 'bytesPerSession'] as const),
  ...(['recipients', 'errorsPerSession'] as const),
] as const;
const liftableRates = ['messages', 'recipients', 'bytes'] as const;

type IpSetSettings = OperatorDocument['ipSets'][string];
type SetLimits = NonNullable<IpSetSettings['limits']>;

const setLimitsOf = (limits: SetLimits): Limits => {
  const { connectionsPerIp = 0, connectionRatePerIp = 0, messagesPerSession = 0, bytesPerSession = 0 } = limits;
  const { recipients = 0, errorsPerSession = 0 } = limits;
  return limitsOf({
    ...limits,
    ...{ connectionsPerIp, connectionRatePerIp, messagesPerSession, bytesPerSession, recipients, errorsPerSession },
  });
};

function setRateOf(rate: IpSetSettings['messageLimit']): MessageRate | undefined {
  if (rate === undefined) return undefined;
  const { messages = 0, recipients = 0, bytes = 0, interval } = rate;
  return rateOf({ messages, recipients, bytes, interval });
}

const unlimitedOf = ({ limits, messageLimit }: IpSetSettings): string[] => [
  ...liftable.filter((name) => limits?.[name] === 0),
  ...liftableRates.filter((name) => messageLimit?.[name] === 0).map((name) => `messageLimit.${name}`),
];

/** Switched-off sets are left out. */
export const ipSetsOf = ({ ipSets }: OperatorDocument): IpSet[] =>
  Object.entries(ipSets)
    .filter(([, { enabled }]) => enabled)
    .map(([name, set]) => ({
      name,
      priority: set.priority,
      networks: [...set.networks],
      deny: set.action === 'deny',
      listeners: [...set.listeners],
      limits: set.limits === undefined ? undefined : setLimitsOf(set.limits),
      unlimited: unlimitedOf(set),
      messageRate: setRateOf(set.messageLimit),
      skipChecks: [...set.skipChecks],
      trusted: set.trusted,
    }));

export function errorControlOf({ errorControl: it }: OperatorDocument): ErrorControl {
  return {
    badCommands: it.badCommands,
    failedLogins: it.failedLogins,
    unknownRecipients: it.unknownRecipients,
    intervalMs: it.interval,
    banMs: it.ban,
    longestBanMs: it.longestBan,
    failedLoginsPerAccount: it.failedLoginsPerAccount,
    failedLoginsPerSession: it.failedLoginsPerSession,
    loginDelayMs: it.loginDelay,
    longestLoginDelayMs: it.longestLoginDelay,
    tarpitErrors: it.tarpitErrors,
    tarpitDelayMs: it.tarpitDelay,
    longestTarpitMs: it.longestTarpit,
    pregreetMs: it.pregreetWait,
  };
}

export function deadlinesOf({ deadlines: it }: OperatorDocument): SessionDeadlines {
  const { command, message, silence, minimumRate, session } = it;
  return { commandMs: command, messageMs: message, silenceMs: silence, minimumRate, sessionMs: session };
}

export function overloadOf({ overload: it }: OperatorDocument): Overload {
  const { loopDelay, heap, memory, spoolLatency, storage } = it;
  return {
    loopDelayMs: loopDelay,
    heapPercent: heap,
    memoryPercent: memory,
    spoolLatencyMs: spoolLatency,
    storagePercent: storage,
  };
}

export { createDnsClient, DnsClient, type DnsClientOptions } from './client.js';
export type { CacheEvent, DnsMetrics } from './metrics.js';
export {
  dnsblName,
  domainListName,
  ipv6Groups,
  normaliseName,
  reversedAddress,
  reverseName,
  unmapAddress,
} from './names.js';
export { type DnsRecord, type RecordData, type RecordType, recordTypes } from './records.js';
export { parseResolvConf, readResolvConf } from './resolv-conf.js';
export {
  BaseResolver,
  type Budget,
  type BudgetedResolver,
  type HostAddress,
  type QueryOptions,
  type Resolver,
} from './resolver.js';
export {
  type DnsAnswer,
  type DnsFailure,
  type DnsList,
  type DnsNegative,
  type DnsResult,
  type DnsTrouble,
  isAbsent,
  isFor,
  isTemporary,
} from './result.js';
export { type DnsSecondTier, packEntry, unpackEntry } from './second-tier.js';
export { parseServer } from './server-address.js';
export { type DnsStanding, dnsStanding } from './standing.js';
export { type ResolverSettings, SwitchingResolver } from './switching-resolver.js';

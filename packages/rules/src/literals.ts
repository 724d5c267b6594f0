/**
 * The two kinds of literal a condition may hand to a function that must be prepared: regular expressions, run by a
 * linear-time engine, and networks. Both are checked when a rule is saved and kept prepared. The caches are bounded
 * and only a saving of work: a literal that fell out is prepared again.
 * Linear is not free: text length times program size is counted, and one evaluation may spend only so much on patterns.
 */
import { BlockList, isIP } from 'node:net';
import { RE2JS } from 're2js';

const CACHE_LIMIT = 10_000;
const PATTERN_LIMIT = 500;
const PROGRAM_LIMIT = 1_000;
/** Steps of all patterns in one evaluation; about 30 ns each. */
const EFFORT_LIMIT = 2_000_000;

const patterns = new Map<string, RE2JS>();
const networks = new Map<string, BlockList>();

/** Undefined when the pattern is fine, else what is wrong with it. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > PATTERN_LIMIT) return `the pattern is longer than ${PATTERN_LIMIT} characters`;
  try {
    const size = preparedPattern(pattern).programSize();
    return size > PROGRAM_LIMIT ? 'the pattern is too large: write smaller repeat counts' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'the pattern is malformed';
  }
}

let effort = EFFORT_LIMIT;

/** Evaluation is synchronous, so one count serves whichever evaluation is running; each begins by renewing it. */
export function renewEffort(): void {
  effort = EFFORT_LIMIT;
}

export function patternFinds(text: string, pattern: string): boolean {
  const prepared = preparedPattern(pattern);
  effort -= text.length * prepared.programSize();
  if (effort < 0) throw new RangeError('patterns took too many steps');
  return prepared.matcher(text).find();
}

export function networkProblem(network: string): string | undefined {
  return preparedNetwork(network) === undefined
    ? 'not an address or network, for example 192.0.2.0/24 or 2001:db8::/32'
    : undefined;
}

export function networkHolds(network: string, address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return preparedNetwork(network)?.check(address, family === 4 ? 'ipv4' : 'ipv6') ?? false;
}

function preparedPattern(pattern: string): RE2JS {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const prepared = RE2JS.compile(pattern);
  remember(patterns, pattern, prepared);
  return prepared;
}

function preparedNetwork(network: string): BlockList | undefined {
  const known = networks.get(network);
  if (known !== undefined) return known;
  const [address = '', length, extra] = network.split('/');
  const family = isIP(address);
  const widest = family === 4 ? 32 : 128;
  const bits = length === undefined ? widest : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (family === 0 || extra !== undefined || !(bits <= widest)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  remember(networks, network, list);
  return list;
}

function remember<Value>(cache: Map<string, Value>, key: string, value: Value): void {
  if (cache.size >= CACHE_LIMIT) {
    const oldest = cache.keys().next();
    if (oldest.done !== true) cache.delete(oldest.value);
  }
  cache.set(key, value);
}

/** Scripts of addresses that delivered before; each under a tag of its own, so that a cluster spreads them. */
import { script } from './scripts.js';

const knownMs = 2_592_000_000;

export const knownClientScripts = {
  key: (prefix: string): string => `{postern:flow:known:${prefix}}`,
  /** KEYS key. Returns {1} for known, and keeps it. */
  isKnown: script('is_known', `return {redis.call('PEXPIRE', KEYS[1], ${knownMs})}`),
  /** KEYS key. */
  remember: script('remember', `redis.call('SET', KEYS[1], '1', 'PX', ${knownMs}) return {1}`),
};

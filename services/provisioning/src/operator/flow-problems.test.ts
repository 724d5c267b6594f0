import { ConfigError } from '@postern/config';
import { expect, test } from 'vitest';
import { compileSnapshot } from '../snapshot/compile.js';
import { parseOperatorDocument } from './document.js';

const parse = (text: string) => parseOperatorDocument([{ file: 'op.yaml', text }]);

test.each<[string, RegExp]>([
  ['ipSets: { a: { networks: [10.0.0.0/99] } }', /ipSets\.a\.networks\[0\]: .*10\.0\.0\.0\/99/],
  ['ipSets: { a: { listeners: [mxx] } }', /ipSets\.a\.listeners\[0\]: "mxx" is not allowed; expected one of mx/],
  ['ipSets: { a: { skipChecks: [spff] } }', /ipSets\.a\.skipChecks\[0\]: "spff".*spf/],
  ['ipSets: { a: { skipChecks: [recipients] } }', /ipSets\.a\.skipChecks\[0\]: "recipients"/],
  ['ipSets: { a: { action: deny, trusted: true } }', /ipSets\.a\.trusted: is on while action is deny/],
  ['ipSets: { a: { action: drop } }', /ipSets\.a\.action: .*drop.*allow, deny/],
  ['ipSets: { "a b": {} }', /ipSets/],
  ['ipSets: { a: { limits: { conections: 3 } } }', /ipSets\.a\.limits\.conections: unknown key/],
  ['messageLimits: { perUser: { messages: -1 } }', /messageLimits\.perUser\.messages: /],
  ['messageLimits: { perUser: { interval: 1ms } }', /messageLimits\.perUser\.interval: /],
  ['tenants: [{ name: a, messageLimit: { bytes: much } }]', /tenants\[0\]\.messageLimit\.bytes: .*much/],
  ['errorControl: { ban: 1h, longestBan: 10m }', /errorControl\.longestBan: is below ban/],
  ['errorControl: { tarpitDelay: 9s }', /errorControl\.longestTarpit: is below tarpitDelay/],
  ['errorControl: { loginDelay: 20s }', /errorControl\.longestLoginDelay: is below loginDelay/],
  ['errorControl: { pregreetWait: 5m }', /errorControl\.pregreetWait: /],
  ['deadlines: { command: 10ms }', /deadlines\.command: /],
  ['deadlines: { minimumRate: 0 }', /deadlines\.minimumRate: /],
  ['overload: { heap: 101 }', /overload\.heap: /],
])('%s is refused with its field', (text, expected) => {
  expect(() => parse(text)).toThrow(ConfigError);
  expect(() => parse(text)).toThrow(expected);
});

test('what is set reaches the snapshot; a set that is off does not', () => {
  const document = parse(`
ipSets:
  partners: { priority: 3, networks: [192.0.2.0/24], trusted: true, skipChecks: [spf], limits: { connectionsPerIp: 50, messagesPerSession: 0, recipients: 0 }, messageLimit: { messages: 2, bytes: 0 } }
  "off": { enabled: false, networks: [192.0.2.0/24], action: deny }
messageLimits: { perUser: { messages: 500, interval: 1d } }
tenants: [{ name: acme, messageLimit: { recipients: 9 } }]
errorControl: { failedLogins: 7, ban: 1m }
deadlines: { command: 30s }
overload: { storage: 50 }`);
  const rate = { messages: 0, recipients: 5, bytes: 0, intervalMs: 60_000 };
  const rows = {
    tenants: ['acme', 'other', 'third'].map((name) => ({
      name,
      state: 'active',
      weight: 1,
      records_sessions: false,
      message_limit: name === 'third' ? null : rate,
      user_message_limit: name === 'other' ? rate : null,
    })),
  };
  const snapshot = compileSnapshot(document, 'mx.test', {
    domains: [],
    oldest_domain: null,
    routes: [],
    rules: [],
    check_settings: [],
    users_set_checks: false,
    ...rows,
  });
  expect(snapshot.ipSets).toMatchObject([
    {
      name: 'partners',
      priority: 3,
      deny: false,
      trusted: true,
      skipChecks: ['spf'],
      limits: { connectionsPerIp: 50, connectionRatePerIp: 0 },
      unlimited: ['messagesPerSession', 'recipients', 'messageLimit.bytes'],
      messageRate: { messages: 2, recipients: 0, bytes: 0, intervalMs: 3_600_000 },
    },
  ]);
  expect(snapshot).toMatchObject({
    messageLimits: { perUser: { messages: 500, intervalMs: 86_400_000 }, perAddress: { messages: 0 } },
    errorControl: { failedLogins: 7, banMs: 60_000, badCommands: 100, pregreetMs: 0 },
    deadlines: { commandMs: 30_000, minimumRate: 64 },
    overload: { storagePercent: 50, heapPercent: 90 },
  });
  // The file's own, the API's, none.
  expect(snapshot.tenants.map(({ messageRate }) => messageRate?.recipients)).toEqual([9, 5, undefined]);
  expect(snapshot.tenants.map(({ userMessageRate }) => userMessageRate?.recipients)).toEqual([undefined, 5, undefined]);
});

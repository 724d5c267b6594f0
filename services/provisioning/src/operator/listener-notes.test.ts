import { expect, test } from 'vitest';
import { examineOperatorDocument } from './document.js';

const noted = (text: string): readonly string[] => {
  const { problems, notes } = examineOperatorDocument([{ file: 'base.yaml', text }]);
  expect(problems).toEqual([]);
  return notes.map(({ path, message }) => `${path}: ${message}`);
};
const issuer = 'oauthIssuers: [{ tenant: a, issuer: i, audience: b, jwksUrl: "https://i.test/k" }]';
const relays = (one: string, other: string): string =>
  `tenants: [{ name: a }, { name: b }]\nrelayNetworks: [{ network: 192.0.2.1, tenant: ${one} }, { network: 192.0.2.1, tenant: ${other} }]`;

test.each<[string, string | RegExp]>([
  ['listeners: { mx: { xclient: [0.0.0.0/0] } }', /^listeners\.mx\.xclient\[0\]: "0\.0\.0\.0\/0" .*open relay/],
  [
    'listeners: { submission: { authMechanismsTls: [PLAIN, OAUTHBEARER] } }',
    'listeners.submission.authMechanismsTls[1]: "OAUTHBEARER" takes no token: oauthIssuers names nobody',
  ],
  [
    'listeners: { submission: { authMechanismsPlain: [PLAIN] } }',
    /^listeners\.submission\.authMechanismsPlain: is never offered: requireTls is on/,
  ],
  [
    'listeners: { submissions: { authMechanismsPlain: [PLAIN] } }',
    /^listeners\.submissions\.authMechanismsPlain: does/,
  ],
  ['listeners: { submissions: { requireTls: false } }', /^listeners\.submissions\.requireTls: false does nothing/],
  [
    'listeners: { mx: { extensions: { smtpUtf8: true, eightBitMime: false } } }',
    /^listeners\.mx\.extensions\.smtpUtf8: is never offered/,
  ],
  ['checks: { dnsbl: { onFail: reject, zones: [bl.test] } }', /^checks\.dnsbl: is set up and off: .*enabled: true/],
  ['checks: { identity: { onFail: reject } }', /^checks\.identity: is set up and off/],
  ['overload: { heap: 1 }', /^overload\.heap: 1 percent: .*421/],
  ['overload: { memory: 19 }', /^overload\.memory: 19 percent/],
  [
    'access: [{ network: 192.0.2.0/24, action: allow }, { network: 192.0.2.0/24, action: deny }]',
    'access[1].network: "192.0.2.0/24" never counts for deny: allow of it at the same level (global) does, written first',
  ],
  [
    'access: [{ level: listener, target: mx, network: 192.0.2.1, action: allow }]\nlisteners: { mx: { access: [{ network: 192.0.2.1, action: deny, priority: -1 }] } }',
    'access[0].network: "192.0.2.1" never counts for allow: deny of it at the same level (listener mx) does, priority -1',
  ],
  [relays('a', 'b'), /^relayNetworks\[0\]\.network: "192\.0\.2\.1" never counts for tenant a: it is given to b too/],
])('a note of %s', (text, expected) => {
  const found = noted(text);
  expect(found).toEqual([typeof expected === 'string' ? expected : expect.stringMatching(expected)]);
});

test.each([
  'listeners: { mx: { xclient: [10.0.0.0/8] } }',
  `tenants: [{ name: a }]\n${issuer}\nlisteners: { submission: { authMechanismsTls: [OAUTHBEARER] } }`,
  'listeners: { submission: { requireTls: false, authMechanismsPlain: [PLAIN] } }',
  'listeners: { mx: { extensions: { eightBitMime: false } } }',
  'overload: { heap: 20, memory: 20 }',
  'checks: { dnsbl: { enabled: false, zones: [bl.test] }, spf: { onFail: reject } }',
  'access: [{ network: 192.0.2.0/24, action: allow }, { network: 192.0.2.1, action: deny }]',
  'access: [{ network: 192.0.2.1, action: allow }, { level: listener, target: mx, network: 192.0.2.1, action: deny }]',
  relays('a', 'a'),
])('none of %s', (text) => expect(noted(text)).toEqual([]));

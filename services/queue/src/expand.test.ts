import { Disposition } from '@postern/proto/mail/v1/envelope';
import { expect, test } from 'vitest';
import { expand } from './expand.js';
import { groupNumber } from './item-id.js';
import { envelope, forwardPath } from './testing/messages.js';

const owners: Record<string, string> = { 'acme.test': 'acme', 'beta.test': 'beta' };
const units = (...paths: Parameters<typeof envelope>[0]) =>
  expand(envelope(paths), (domain) => owners[domain]).map(
    ({ address, tenant, fate }) => `${address} ${tenant} ${fate}`,
  );

test.each([
  ['a plain recipient', ['a@acme.test'], ['a@acme.test acme deliver']],
  [
    'a recipient given twice, whatever its case',
    ['a@acme.test', 'A@acme.test'],
    ['a@acme.test acme deliver', 'A@acme.test (again) acme merged'],
  ],
  [
    'an alias is replaced and its target belongs to the owner of its domain',
    [forwardPath('info@acme.test', { expandsTo: ['x@beta.test', 'y@elsewhere.test'] })],
    ['info@acme.test acme replaced', 'x@beta.test beta deliver', 'y@elsewhere.test acme deliver'],
  ],
  [
    'an alias that keeps a copy stays',
    [forwardPath('info@acme.test', { expandsTo: ['info@acme.test', 'x@acme.test'] })],
    ['info@acme.test acme deliver', 'x@acme.test acme deliver'],
  ],
  [
    'two groups with a common member deliver once',
    [
      forwardPath('g1@acme.test', { expandsTo: ['m@acme.test'] }),
      forwardPath('g2@acme.test', { expandsTo: ['m@acme.test'] }),
    ],
    [
      'g1@acme.test acme replaced',
      'g2@acme.test acme replaced',
      'm@acme.test acme deliver',
      'm@acme.test (via g2@acme.test) acme merged',
    ],
  ],
  [
    'where an alias is quarantined its targets are',
    [forwardPath('info@acme.test', { expandsTo: ['x@acme.test'], disposition: Disposition.QUARANTINE })],
    ['info@acme.test acme replaced', 'x@acme.test acme quarantine'],
  ],
  [
    'a copy is held with what it is a copy of',
    [forwardPath('vip@acme.test', { expandsTo: ['vip@acme.test', 'copy@acme.test'], disposition: Disposition.HOLD })],
    ['vip@acme.test acme hold', 'copy@acme.test acme hold'],
  ],
  [
    'what is thrown away is not expanded',
    [forwardPath('info@acme.test', { expandsTo: ['x@acme.test'], disposition: Disposition.DISCARD })],
    ['info@acme.test acme discard'],
  ],
])('%s', (_, paths, expected) => {
  expect(units(...paths)).toEqual(expected);
});

test('ORCPT of an expanded recipient names what the sender wrote', () => {
  const [, target] = expand(envelope([forwardPath('info@acme.test', { expandsTo: ['x@acme.test'] })]), () => undefined);
  expect(target?.recipient.originalRecipient).toBe('rfc822;info@acme.test');
});

test('the group number depends on every part and on their borders', () => {
  expect(groupNumber(['a', 'bc'])).not.toBe(groupNumber(['ab', 'c']));
  expect(groupNumber(['a', 'b'])).toBe(groupNumber(['a', 'b']));
});

import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, type Described, ground, settings } from '../testing/ground.js';

const lists = (block: string[], allow: string[] = []) => settings({ lists: { block, allow } });

test.each<[string, Described, string]>([
  ['a@sender.test', {}, 'blocked'],
  ['A@Sender.TEST', {}, 'blocked'],
  ['b@sender.test', {}, 'unlisted'],
  ['sender.test', {}, 'blocked'],
  ['sender.test', { from: 'a@sub.sender.test' }, 'blocked'],
  ['@sender.test', { from: 'a@sub.sender.test' }, 'unlisted'],
  ['test', {}, 'blocked'],
  ['ender.test', {}, 'unlisted'],
  ['192.0.2.0/24', {}, 'blocked'],
  ['192.0.2.10', { client: '::ffff:192.0.2.10' }, 'blocked'],
  ['2001:db8::/32', { client: '2001:db8:1::1' }, 'blocked'],
  ['198.51.100.0/24', {}, 'unlisted'],
  ['/^a.*@sender\\.test$/', {}, 'blocked'],
  ['/^(a+)+$/', { from: `${'a'.repeat(400)}@b.test` }, 'unlisted'],
])('%s for %j is %s', async (entry, described, outcome) => {
  const verdict = await askEnvelope(ground({ snapshot: lists([entry]) }), described);
  expect(verdict.findings[0]).toMatchObject({ check: 'lists', outcome });
  expect(verdict.decision?.action).toBe(outcome === 'blocked' ? Action.REJECT : Action.ACCEPT);
});

const listed = { zone: { '10.2.0.192.bl.test': { A: ['127.0.0.2'] }, 'sender.test': { TXT: ['v=spf1 -all'] } } };

test('allow goes before block, and spares a blocklist but not SPF', async () => {
  const both = {
    lists: { block: ['sender.test'], allow: ['a@sender.test'] },
    dnsbl: { zones: ['bl.test'], selfTest: false },
  };
  const spared = await askEnvelope(ground({ ...listed, snapshot: settings(both) }));
  expect(spared.decision?.action).toBe(Action.REJECT);
  expect(spared.decision?.decidedBy).toBe('dnsbl');
  const later = { ...both, dnsbl: { ...both.dnsbl, onFail: 'mark' }, sender: { onFail: 'reject' } };
  expect((await askEnvelope(ground({ ...listed, snapshot: settings(later) }))).decision?.action).toBe(Action.ACCEPT);
  const strict = { ...later, spf: { onFail: 'reject' } };
  expect((await askEnvelope(ground({ ...listed, snapshot: settings(strict) }))).decision?.decidedBy).toBe('spf');
});

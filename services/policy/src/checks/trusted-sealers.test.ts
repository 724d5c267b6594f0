/** DMARC overridden by an ARC chain: only a valid one, all of whose sealers are trusted, the first of whom saw DMARC pass. RFC 8617 §7.2.1. */
import type { ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, ground, settings } from '../testing/ground.js';
import { type Sealing, sealedMessage, sealZone } from '../testing/sealed-message.js';

const saw = (dmarc: string) => `lists.test; dkim=pass header.d=sender.test; dmarc=${dmarc} header.from=sender.test`;
const list: Sealing = { sealer: 'lists.test', results: saw('pass') };
const forwarder: Sealing = { sealer: 'mx.forward.test', results: 'forward.test; dmarc=fail' };
const zone = { ...sealZone('lists.test', 'mx.forward.test'), '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] } };

const ask = (message: string, trustedArcSealers: readonly string[], more: ZoneData = {}) =>
  askContent(
    ground({
      zone: { ...zone, ...more },
      snapshot: settings({ dmarc: { onFail: 'reject', trustedArcSealers }, arc: {} }),
    }),
    message,
    {},
  );

test.each<[string, readonly Sealing[], readonly string[], string]>([
  ['the one sealer is trusted', [list], ['lists.test'], 'overridden'],
  ['both are, one by the domain above it', [list, forwarder], ['lists.test', 'forward.test'], 'overridden'],
  ['nobody is trusted', [list], [], 'fail'],
  ['another one is trusted', [list], ['other.test'], 'fail'],
  ['the second sealer is not trusted', [list, forwarder], ['lists.test'], 'fail'],
  ['the first sealer is not trusted', [list, forwarder], ['forward.test'], 'fail'],
  ['the first sealer saw DMARC fail', [{ ...list, results: saw('fail') }], ['lists.test'], 'fail'],
  ['the first sealer did not look', [{ ...list, results: 'lists.test; none' }], ['lists.test'], 'fail'],
])('%s', async (_what, sealings, trusted, outcome) => {
  const verdict = await ask(sealedMessage('a@sender.test', sealings), trusted);
  expect(verdict.findings.find(({ check }) => check === 'arc')).toMatchObject({ outcome: 'pass' });
  const dmarc = verdict.findings.find(({ check }) => check === 'dmarc');
  expect(dmarc?.outcome).toBe(outcome);
  expect(verdict.decision?.action).toBe(outcome === 'fail' ? Action.REJECT : Action.ACCEPT);
  if (outcome === 'fail') return;
  expect(dmarc?.evidence).toMatchObject({ override: 'local_policy', disposition: 'none' });
  const edit = verdict.groups[0]?.rendering?.edits.find(({ name }) => name === 'Authentication-Results');
  expect(edit?.value).toContain('dmarc=fail (p=reject; overridden: arc=pass as[1].d=lists.test');
});

test.each<[string, readonly string[], Action]>([
  ['trusted: asked again later, for the chain may hold', ['lists.test'], Action.TEMPFAIL],
  ['not trusted: refused, for it could change nothing', ['other.test'], Action.REJECT],
])('the key of a sealer does not come, %s', async (_what, trusted, action) => {
  const message = sealedMessage('a@sender.test', [list]);
  const verdict = await ask(message, trusted, { 'seal._domainkey.lists.test': 'timeout' });
  expect(verdict.decision?.action).toBe(action);
});

test('a chain that a change broke overrides nothing', async () => {
  const message = sealedMessage('a@sender.test', [list]);
  for (const broken of [message.replace('hello', 'other'), message.replace('dkim=pass', 'dkim=fail')]) {
    const verdict = await ask(broken, ['lists.test']);
    expect(verdict.findings.find(({ check }) => check === 'dmarc')?.outcome).toBe('fail');
  }
});

test.each<[string, ZoneData, string]>([
  ['a record', {}, 'dmarc=fail (p=reject)'],
  ['no record', { '_dmarc.sender.test': {} }, 'dmarc=none header.from=sender.test'],
  ['a record that does not come', { '_dmarc.sender.test': 'timeout' }, 'dmarc=temperror header.from=sender.test'],
])('the policy is told where there is one: %s', async (_what, more, told) => {
  const here = ground({ zone: { ...zone, ...more }, snapshot: settings({ dmarc: { onFail: 'mark' } }) });
  const { groups } = await askContent(here, 'From: a@sender.test\r\n\r\nx\r\n', {});
  const edit = groups[0]?.rendering?.edits.find(({ name }) => name === 'Authentication-Results');
  expect(edit?.value.replace(/\s+/g, ' ')).toContain(told);
});

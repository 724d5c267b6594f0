import { Notify } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { expect, test } from 'vitest';
import { cleanText, needsBody, outcomesOf } from './outcomes-of.js';
import type { RecipientAnswer } from './transport.js';

const answer = (address: string, disposition: RecipientAnswer['disposition']): RecipientAnswer => ({
  address,
  disposition,
  code: disposition === 'accepted' ? 250 : disposition === 'permanent' ? 550 : 451,
  enhanced: '',
  text: 'x',
  maybeDelivered: false,
});
const item = Item.fromPartial({
  queueId: 'Q',
  attempt: 2,
  tenant: 't',
  recipients: [{ address: 'a@x.test' }, { address: 'b@x.test' }, { address: 'c@x.test' }],
  body: { place: { $case: 'inline', value: Buffer.from('body') } },
});
const kept: Item = { ...item, body: { place: { $case: 'bodyId', value: 'Q' } } };
const by = { host: 'mx.x.test', address: '192.0.2.1', tlsVersion: 'TLSv1.3' };

test('each recipient ends in one outcome; what goes on carries the item with its body by reference', () => {
  const answers = [answer('a@x.test', 'accepted'), answer('b@x.test', 'permanent'), answer('c@x.test', 'temporary')];
  const outcomes = outcomesOf(item, kept, answers, by, 1_000);
  expect(outcomes.map(({ kind, recipients }) => [kind, recipients.map(({ address }) => address)])).toEqual([
    [OutcomeKind.DELIVERED, ['a@x.test']],
    [OutcomeKind.BOUNCED, ['b@x.test']],
    [OutcomeKind.DEFERRED, ['c@x.test']],
  ]);
  expect(outcomes[0]?.item).toBeUndefined();
  expect(outcomes[2]?.item?.recipients.map(({ address }) => address)).toEqual(['c@x.test']);
  expect(outcomes[2]?.item?.body?.place).toEqual({ $case: 'bodyId', value: 'Q' });
});

test('the body is kept exactly when something outlives the attempt', () => {
  expect(needsBody([answer('a@x.test', 'accepted')], item)).toBe(false);
  expect(needsBody([answer('a@x.test', 'temporary')], item)).toBe(true);
  const wanting = Item.fromPartial({ ...item, recipients: [{ address: 'a@x.test', notify: [Notify.SUCCESS] }] });
  expect(needsBody([answer('a@x.test', 'accepted')], wanting)).toBe(true);
});

test("a stranger's reply cannot break lines or grow without bound", () => {
  expect(cleanText('a\r\nb\0c\u2028d')).toBe('a  b c d');
  expect(cleanText('x'.repeat(5_000))).toHaveLength(512);
});

import { Item, ItemRecipient, Route } from '@postern/proto/mail/v1/item';
import { expect, test } from 'vitest';
import { readItem } from './read-item.js';

const valid: Item = {
  ...Item.fromPartial({ itemId: '01JD:7:1', queueId: '01JD', reversePath: 'a@sender.test' }),
  route: Route.fromPartial({ lane: 'main' }),
  recipients: [ItemRecipient.fromPartial({ address: 'ü@fuzz.test' })],
  body: { place: { $case: 'bodyId', value: '01JD' } },
};
const read = (change: Partial<Item>): string => {
  const result = readItem(Item.encode({ ...valid, ...change }).finish());
  return result.ok ? 'ok' : result.reason;
};

test('what queue makes is read', () => {
  expect(read({})).toBe('ok');
  expect(read({ reversePath: '', body: { place: { $case: 'inline', value: Buffer.from('x') } } })).toBe('ok');
});

test.each<[string, Partial<Item>]>([
  ['item without recipients or route', { recipients: [] }],
  ['item without recipients or route', { route: undefined }],
  ['queue id is no token', { queueId: '' }],
  ['queue id is no token', { queueId: 'a.>' }],
  ['queue id is no token', { queueId: 'x'.repeat(5_000) }],
  ['item id is no key', { itemId: 'a b' }],
  ['body id is no token', { body: { place: { $case: 'bodyId', value: 'bad.id.>' } } }],
  ['a path that cannot be said', { reversePath: 'a\r\nRCPT TO:<b@c.test>' }],
  ['a path that cannot be said', { recipients: [ItemRecipient.fromPartial({ address: 'a\0@b.test' })] }],
  ['a path that cannot be said', { recipients: [ItemRecipient.fromPartial({ address: '' })] }],
])('%s: %j', (reason, change) => {
  expect(read(change)).toBe(reason);
});

test('noise is no item', () => {
  expect(readItem(Buffer.from([0x0a, 0xff]))).toMatchObject({
    ok: false,
    reason: expect.stringContaining('undecodable'),
  });
});

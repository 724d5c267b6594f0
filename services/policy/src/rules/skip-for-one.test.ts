/** A check of content that a rule skips for one recipient: he is spared, and nobody besides him, whoever wrote the rule. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { DifferingContent } from '@postern/proto/config/v1/snapshot';
import { Action, type EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, type Ground, ground } from '../testing/ground.js';
import { isRefusal } from '../verdict/decision.js';

const ann = { address: 'ann@one.test', tenant: 't1' };
const bob = { address: 'bob@one.test', tenant: 't1' };
const eve = { address: 'eve@two.test', tenant: 't2' };
const zone = {
  '_dmarc.strict.test': { TXT: ['v=DMARC1; p=reject'] },
  'bad.test.uri.test': { A: ['127.0.0.2'] },
} as const;
const message = 'From: a@strict.test\nSubject: x\n\nhttp://bad.test/ here\n';

function groundOf(check: string, rule: object, differingContent = DifferingContent.SPLIT): Ground {
  const off = { spf: { enabled: false }, dkim: { enabled: false }, dmarc: { enabled: false } };
  const own = check === 'uribl' ? { zones: ['uri.test'], selfTest: false } : {};
  const here = ground({
    zone,
    rules: [{ then: [{ skip: { check } }], ...rule }],
    entries: { [ann.address]: 'user', [bob.address]: 'user', [eve.address]: 'user' },
    snapshot: {
      checks: { document: JSON.stringify({ ...off, [check]: { enabled: true, onFail: 'reject', ...own } }) },
      differingContent,
      tenants: [{ name: 't1' }, { name: 't2' }],
      domains: [
        { name: 'one.test', tenant: 't1', validateRecipients: true },
        { name: 'two.test', tenant: 't2', validateRecipients: true },
      ],
    },
  });
  expect(here.faults).toEqual([]);
  return here;
}

type To = readonly (typeof ann)[];

/** Who hears what at RCPT, and what becomes of the copies of those taken. */
async function fates(here: Ground, to: To): Promise<Record<string, string>> {
  const before = await askEnvelope(here, { to });
  const told = new Map(before.recipients.map(({ address, decision }) => [address, decision]));
  const taken = to.filter(({ address }) => told.get(address)?.action === Action.ACCEPT);
  const after = await askContent(here, message, { to: taken }, before);
  return Object.fromEntries(
    to.map(({ address }) => [
      address,
      taken.some((one) => one.address === address) ? fateOf(after, address) : String(told.get(address)?.replyCode),
    ]),
  );
}

function fateOf({ decision, groups }: EvaluateResponse, address: string): string {
  if (decision !== undefined && isRefusal(decision.action)) return String(decision.replyCode);
  const own = groups.find(({ recipients }) => recipients.includes(address))?.decision ?? decision;
  return own?.action === Action.ACCEPT ? 'taken' : own?.action === Action.QUARANTINE ? 'kept' : `${own?.replyCode}`;
}

const toAnn = `recipient.address == "${ann.address}"`;

test.each([
  ['dmarc', 'rcpt'],
  ['dmarc', 'headers'],
  ['dmarc', 'body'],
  ['uribl', 'rcpt'],
  ['uribl', 'body'],
])('%s, skipped at %s', async (check, event) => {
  const here = groundOf(check, { event, when: toAnn });
  expect(await fates(here, [ann])).toEqual({ [ann.address]: 'taken' });
  expect(await fates(here, [eve])).toEqual({ [eve.address]: '550' });
  expect(await fates(here, [ann, eve])).toEqual({ [ann.address]: 'taken', [eve.address]: '452' });
  expect(await fates(here, [eve, ann, bob])).toEqual({
    ...{ [eve.address]: '550', [ann.address]: '452', [bob.address]: '550' },
  });
});

test.each(['rcpt', 'body'])(
  'where they stay together the copies of the others are not delivered: %s',
  async (event) => {
    const here = groundOf('dmarc', { event, when: toAnn }, DifferingContent.TOGETHER);
    const copies = await fates(here, [ann, eve]);
    expect(copies[ann.address]).toBe('taken');
    expect(copies[eve.address]).not.toBe('taken');
  },
);

test.each(['rcpt', 'body'])('a rule that asks nothing of the recipient skips it for all: %s', async (event) => {
  const here = groundOf('dmarc', { event, when: 'sender.domain == "sender.test"' });
  expect(await fates(here, [ann, eve])).toEqual({ [ann.address]: 'taken', [eve.address]: 'taken' });
});

test('of a login the author: the copies of those who are not spared are not delivered', async () => {
  const rules = [{ event: 'rcpt', when: toAnn, then: [{ skip: { check: 'author' } }] }];
  const here = ground({
    rules,
    entries: { [ann.address]: 'user', [bob.address]: 'user', [eve.address]: 'user' },
    snapshot: {
      checks: { document: JSON.stringify({ author: { enabled: true, onFail: 'reject' } }) },
      tenants: [{ name: 't1' }, { name: 't2' }],
      domains: [
        { name: 'one.test', tenant: 't1', validateRecipients: true },
        { name: 'two.test', tenant: 't2', validateRecipients: true },
      ],
    },
  });
  const login = { user: bob.address, tenant: 't1', role: 'submission' };
  const outcomeFor = async (to: To): Promise<string[]> => {
    const before = await askEnvelope(here, { to, ...login });
    const after = await askContent(here, message, { to, ...login }, before);
    return to.map(({ address }) => fateOf(after, address));
  };
  expect(await outcomeFor([eve])).toEqual(['550']);
  expect(await outcomeFor([ann])).toEqual(['taken']);
  const [ofAnn, ofEve] = await outcomeFor([ann, eve]);
  expect(ofAnn).toBe('taken');
  expect(ofEve).not.toBe('taken');
});

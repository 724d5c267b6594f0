// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** Rules of a tenant at connect, ehlo and mail about mail that comes in: asked at RCPT for its recipients, each cell of the table in docs/rules.md. */
import { Action, type EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { describe, expect, test } from 'vitest';
import { askContent, askEnvelope, type Described, ground } from '../testing/ground.js';

const snapshot = {
  tenants: [{ name: 't1', ruleActions: ['accept', 'skip'] }, { name: 't2' }],
  domains: [
    { name: 'one.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
    { name: 'two.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
  ],
};
const entries = { 'u@one.test': 'user', 'u@two.test': 'user' } as const;
const mine = 'u@one.test';
const other = { address: 'u@two.test', tenant: 't2' };
const owners = ['t1', 't1 one.test', 't1 u@one.test'];

const here = (owner: string, rule: object) => ground({ snapshot, entries, tenantRules: { [owner]: [rule] } });
const ask = (owner: string, event: string, then: object, when?: string) =>
  askEnvelope(here(owner, { event, ...(when === undefined ? {} : { when }), then: [then] }), { to: [mine, other] });

const said = ({ recipients }: EvaluateResponse) => recipients.map(({ decision }) => decision?.action);

describe.each(['connect', 'ehlo', 'mail'])('at %s', (event) => {
  test.each<[object, Action]>([
    [{ reject: { code: 550, text: 'no' } }, Action.REJECT],
    [{ tempfail: { text: 'later' } }, Action.TEMPFAIL],
    [{ requireTls: { text: 'TLS first' } }, Action.REJECT],
    ...(event === 'mail'
      ? ([
          [{ quarantine: { reason: 'odd' } }, Action.QUARANTINE],
          [{ hold: { reason: 'odd' } }, Action.HOLD],
          [{ discard: {} }, Action.DISCARD],
        ] satisfies [object, Action][])
      : []),
  ])('%j is done for its own recipients and no others', async (then, action) => {
    for (const owner of owners) {
      const verdict = await ask(owner, event, then);
      expect(verdict.decision?.action).toBe(Action.ACCEPT);
      expect(said(verdict)).toEqual([action, Action.ACCEPT]);
    }
  });

  test('setLimit narrows for its own', async () => {
    const { limits, findings } = await ask('t1', event, { setLimit: { size: 100, recipients: 3 } });
    expect(limits).toBeUndefined();
    expect(findings.filter(({ action }) => action === 'setLimit')).toMatchObject([
      { recipient: mine, evidence: { size: '100', recipients: '3', tenant: 't1' } },
    ]);
  });

  test('tag stays with its own copy', async () => {
    const at = here('t1', { event, then: [{ tag: { name: 'early' } }] });
    const to = [mine, other];
    const after = await askContent(at, 'Subject: x\n\nx\n', { to }, await askEnvelope(at, { to }));
    expect(after.groups.map(({ recipients, rendering }) => [recipients, rendering?.tags])).toEqual([
      [[mine], ['early']],
      [['u@two.test'], []],
    ]);
  });

  test('run is made for its own', async () => {
    const { findings } = await ask('t1', event, { run: { check: 'spf' } });
    expect(findings.filter(({ check }) => check === 'spf')).toMatchObject([{ recipient: mine, outcome: 'none' }]);
  });

  test.each([{ accept: {} }, { skip: { check: 'recipients' } }])('%j is not: it came too late', async (then) => {
    const at = here('t1', { event, then: [then] });
    expect(said(await askEnvelope(at, { to: ['nobody@one.test'] }))).toEqual([Action.REJECT]);
  });
});

test('changeSender is for the mail it submits: the sender of all recipients is nobody’s alone', async () => {
  const change = { changeSender: { address: 'x@one.test' } };
  expect((await ask('t1', 'mail', change)).changedSender).toBeUndefined();
  const at = here('t1', { event: 'mail', then: [change] });
  const login = { user: mine, tenant: 't1', role: 'submission' };
  expect((await askEnvelope(at, { ...login, to: [mine] })).changedSender?.address).toBe('x@one.test');
});

test('by the facts of its event', async () => {
  const when = 'sender.domain == "sender.test" && helo == "client.test"';
  expect(said(await ask('t1', 'mail', { reject: {} }, when))).toEqual([Action.REJECT, Action.ACCEPT]);
  expect(said(await ask('t1', 'mail', { reject: {} }, 'sender.domain == "never.test"'))).toEqual([1, 1]);
});

test('of a login of another tenant it is mail that comes in; of its own it is asked once', async () => {
  const reject = { event: 'mail', then: [{ reject: { code: 550, text: 'no' } }] };
  const theirs: Described = { user: 'u@two.test', tenant: 't2', role: 'submission', to: [mine, other] };
  expect(said(await askEnvelope(here('t1', reject), theirs))).toEqual([Action.REJECT, Action.ACCEPT]);
  const tagging = here('t1', { event: 'mail', then: [{ tag: { name: 'once' } }] });
  await askEnvelope(tagging, { user: mine, tenant: 't1', role: 'submission', to: [mine] });
  expect(tagging.ruled).toEqual(['mail tag']);
});

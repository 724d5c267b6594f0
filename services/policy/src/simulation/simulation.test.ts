/**
 * Invariant 10: the same configuration gives the same verdict in production and in simulation, whatever the rules are. What a session decides without
 * policy is compared on the wire: packages/e2e/src/integration/simulated-sessions.test.ts.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise

import { FakeClock } from '@postern/clock';
import { Action, type Decision, SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, factsOf, ground } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';
import { simulate } from './simulate.js';

const message = 'From: a@sender.test\nSubject: hi\n\nbody\n';

/** Codes are the session's business: at the banner and where TLS is wanted it has its own. */
const said = (decision: Decision | undefined): string =>
  decision === undefined || decision.action === Action.UNSPECIFIED || decision.action === Action.ACCEPT
    ? 'accept'
    : `${decision.action} ${decision.text} ${decision.decidedBy}`;

const action = fc.constantFrom<readonly [string, unknown]>(
  ['connect', { reject: { text: 'no' } }],
  ['connect', { skip: { check: 'spf' } }],
  ['ehlo', { requireTls: {} }],
  ['ehlo', 'accept'],
  ['mail', 'tempfail'],
  ['mail', { quarantine: { reason: 'odd' } }],
  ['mail', { changeSender: { address: '' } }],
  ['rcpt', { reject: { text: 'not you' } }],
  ['rcpt', { addHeader: { name: 'X-One', value: '1' } }],
  ['rcpt', { redirect: { address: 'new@far.test' } }],
  ['headers', { removeHeader: { name: 'Subject' } }],
  ['headers', 'hold'],
  ['body', 'discard'],
  ['body', { tag: { name: 'seen' } }],
  ['body', { close: {} }],
);
const when = fc.constantFrom(
  undefined,
  'client.address == "192.0.2.10"',
  'client.address == "192.0.2.11"',
  'client.port > 1',
);
const rule = fc.tuple(action, when, fc.integer({ min: 1, max: 3 })).map(([[event, then], condition, priority]) => ({
  event,
  priority,
  then: [then],
  ...(condition === undefined ? {} : { when: condition }),
}));

test('invariant 10: what is simulated is what is judged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { maxLength: 6 }), async (rules) => {
      const here = ground({ rules });
      const judged = await askEnvelope(here);
      const stages: string[] = [];
      const refused = (decision: Decision | undefined): boolean => /^(2|3|7) /.test(said(decision));
      const isOver = refused(judged.decision) || judged.recipients.every(({ decision }) => refused(decision));
      const end = isOver ? undefined : await askContent(here, message, {}, judged);
      const counted = here.observed.length + here.ruled.length;
      const request = SimulateRequest.fromPartial({
        facts: factsOf(),
        content: Buffer.from(message.replaceAll('\n', '\r\n')),
      });
      const { stages: simulated } = await simulate(
        {
          judge: here.judge,
          recordings: memoryRecordings(),
          clock: new FakeClock(),
          maxHops: 30,
          maxLineLength: 65_536,
          deadlineMs: 15_000,
        },
        request,
        here.snapshot,
      );
      for (const { decision } of simulated) stages.push(said(decision));
      const last = simulated.at(-1);
      // Nothing of it is counted.
      expect(here.observed.length + here.ruled.length).toBe(counted);
      if (end === undefined) {
        const recipients = simulated.flatMap((stage) => stage.recipients.map(({ decision }) => said(decision)));
        expect(recipients).toEqual(judged.recipients.map(({ decision }) => said(decision)));
        if (refused(judged.decision)) expect(stages.at(-1)).toBe(said(judged.decision));
        return;
      }
      expect(stages.at(-1)).toBe(said(end.decision));
      expect(last?.groups).toEqual(end.groups);
    }),
    { numRuns: 150 },
  );
});

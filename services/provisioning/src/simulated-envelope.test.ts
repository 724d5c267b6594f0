import { Disposition } from '@postern/proto/mail/v1/envelope';
import {
  Action,
  type EvaluateResponse,
  SimulateRequest,
  SimulateResponse,
} from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { simulatedEnvelope } from './simulated-envelope.js';

const recipients = (...actions: (Action | [Action, ...string[]])[]) =>
  actions.map((given, index) => {
    const [action, ...expandsTo] = typeof given === 'object' ? given : [given];
    return { address: `r${index}@acme.test`, decision: { action }, expandsTo };
  });
const stage = (action: Action, more: object = {}): object => ({ decision: { action }, ...more });

const made = (stages: readonly object[], request: object = {}) =>
  simulatedEnvelope(
    SimulateRequest.fromPartial({
      tenant: 'acme',
      facts: { reversePath: 'a@b.test', declaredSize: 7, recipients: [{ address: 'r0@acme.test' }] },
      ...request,
    }),
    SimulateResponse.fromPartial({ stages: stages as EvaluateResponse[] }),
  );

test.each([
  ['nobody was named', [stage(Action.ACCEPT)]],
  ['the session is refused', [stage(Action.ACCEPT, { recipients: recipients(Action.ACCEPT) }), stage(Action.REJECT)]],
  ['every recipient is refused', [stage(Action.ACCEPT, { recipients: recipients(Action.REJECT, Action.TEMPFAIL) })]],
])('nothing is delivered where %s', (_what, stages) => {
  expect(made(stages)).toBeUndefined();
});

test('who was taken is delivered, as expanded, from the sender a rule gave', () => {
  const taken = recipients([Action.ACCEPT, 'x@far.test'], Action.REJECT, Action.HOLD);
  const envelope = made([
    stage(Action.ACCEPT, { changedSender: { address: 'new@b.test' } }),
    stage(Action.ACCEPT, { recipients: taken }),
  ]);
  expect(envelope).toMatchObject({ reversePath: 'new@b.test', size: 7, submittingTenant: 'acme' });
  expect(envelope?.forwardPaths).toMatchObject([
    { address: 'r0@acme.test', tenant: 'acme', expandsTo: ['x@far.test'], disposition: Disposition.DELIVER },
    { address: 'r2@acme.test', disposition: Disposition.HOLD },
  ]);
});

test('tags and dispositions of the end of data are each recipient’s own; a partial refusal is quarantine', () => {
  const group = (address: string, action: Action, ...tags: string[]) => ({
    recipients: [address],
    decision: { action },
    rendering: { tags },
  });
  const envelope = made(
    [
      stage(Action.ACCEPT, { recipients: recipients(Action.ACCEPT, Action.ACCEPT) }),
      stage(Action.ACCEPT, {
        groups: [group('r0@acme.test', Action.ACCEPT, 'bulk'), group('r1@acme.test', Action.REJECT)],
      }),
    ],
    { content: Buffer.from('Subject: x') },
  );
  expect(envelope?.size).toBe(10);
  expect(
    envelope?.forwardPaths.map(({ disposition, rendering }) => [disposition, envelope.renderings[rendering]?.tags]),
  ).toEqual([
    [Disposition.DELIVER, ['bulk']],
    [Disposition.QUARANTINE, []],
  ]);
  const discarded = made([stage(Action.ACCEPT, { recipients: recipients(Action.ACCEPT) }), stage(Action.DISCARD)]);
  expect(discarded?.forwardPaths[0]?.disposition).toBe(Disposition.DISCARD);
});

test('a relay client submits for the tenant policy found, whoever asks', () => {
  const request = SimulateRequest.fromPartial({
    facts: { reversePath: 'a@b.test', recipients: [{ address: 'x@far.test' }] },
  });
  const taken = [{ address: 'x@far.test', decision: { action: Action.ACCEPT } }];
  const response = SimulateResponse.fromPartial({ stages: [{ recipients: taken }], submittingTenant: 'acme' });
  const envelope = simulatedEnvelope(request, response);
  expect(envelope).toMatchObject({ submittingTenant: 'acme', forwardPaths: [{ tenant: 'acme' }] });
});

/**
 * Dialog files against the whole front over doubles. Options besides `@listener`, in `options`; snapshot is JSON over the test's own, clock is one that
 * stands until `WAIT`; tickets makes two pods, one connection to each, with one file of ticket keys (shared) or two (apart). How a dialog is written is in @postern/testkit/smtp; those without options are in packages/e2e/conformance and run
 * against a cluster too.
 */
import { FakeClock } from '@postern/clock';
import { type ForwardPath, Notify } from '@postern/proto/mail/v1/envelope';
import { Action, ContentPlan, Decision, type EvaluateRequest, Stage } from '@postern/proto/policy/v1/policy_service';
import { type Reply, replies } from '@postern/smtp-core';
import { type Dialog, RawClient, readDialog, runDialog as run } from '@postern/testkit/smtp';
import type { Listener, ListenerOptions } from '../listener.js';
import type { PolicyAnswer } from '../policy-port.js';
import type { ListenerRole } from '../session.js';
import { acceptAll, Doubles } from './doubles.js';

type Option = (doubles: Doubles, listener: Partial<Mutable<ListenerOptions>>) => void;
type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

const unavailable = { kind: 'unavailable', reason: 'test' } as const;

function refuseAll(request: EvaluateRequest, said: Partial<Decision>): PolicyAnswer {
  const answer = acceptAll(request);
  if (answer.kind !== 'verdict') return answer;
  const decision = Decision.fromPartial(said);
  const recipients = answer.verdict.recipients.map((recipient) => ({ ...recipient, decision }));
  return { kind: 'verdict', verdict: { ...answer.verdict, recipients } };
}

/** Whose content is treated otherwise than that of the first recipient is to come in another transaction. */
function splitDomains(request: EvaluateRequest): PolicyAnswer {
  const answer = acceptAll(request);
  if (answer.kind !== 'verdict') return answer;
  const domainOf = (address = ''): string => address.slice(address.lastIndexOf('@'));
  const first = domainOf(request.facts?.recipients[0]?.address);
  const { code, enhanced = '', text } = replies.recipientApart;
  const said = { replyCode: code, enhancedCode: enhanced, text: String(text) };
  const apart = Decision.fromPartial({ action: Action.TEMPFAIL, ...said });
  const recipients = answer.verdict.recipients.map((recipient) =>
    domainOf(recipient.address) === first ? recipient : { ...recipient, decision: apart },
  );
  return { kind: 'verdict', verdict: { ...answer.verdict, recipients } };
}

const refuseClient =
  (reply: Reply): Option =>
  (doubles) =>
    (doubles.opening = () => ({ kind: 'refused', reply, reason: 'test' }));

const options: Readonly<Record<string, Option>> = {
  'policy away': (doubles) => (doubles.evaluate = () => unavailable),
  'policy broken': (doubles) => (doubles.evaluate = () => Promise.reject(new Error('test'))),
  'policy defers': (doubles) => (doubles.evaluate = (request) => refuseAll(request, { action: Action.TEMPFAIL })),
  'policy knows-nobody': (doubles) => (doubles.evaluate = (request) => refuseAll(request, { action: Action.REJECT })),
  'policy greylists': (doubles) => {
    const reply = { replyCode: 450, enhancedCode: '4.7.1', text: 'greylisted for 300 s' };
    doubles.evaluate = (request) => refuseAll(request, { action: Action.TEMPFAIL, ...reply });
  },
  'policy closes': (doubles) => (doubles.evaluate = (request) => refuseAll(request, { action: Action.CLOSE })),
  'policy explains': (doubles) => {
    const decision = { action: Action.REJECT, enhancedCode: '5.7.1', text: 'blocked\nsee our page' };
    doubles.evaluate = (request) => refuseAll(request, decision);
  },
  'policy splits': (doubles) => (doubles.evaluate = splitDomains),
  'policy reads-headers': (doubles) => (doubles.evaluate = (request) => acceptAll(request, ContentPlan.HEADERS)),
  'policy dislikes-content': (doubles) =>
    (doubles.evaluate = (request) => {
      const answer = acceptAll(request, ContentPlan.BODY);
      const isContent = request.stages.includes(Stage.BODY);
      const decision = isContent ? Decision.fromPartial({ action: Action.REJECT }) : undefined;
      return answer.kind === 'verdict' ? { ...answer, verdict: { ...answer.verdict, decision } } : answer;
    }),
  'login away': (doubles) => {
    doubles.verify = () => unavailable;
    doubles.material = unavailable;
  },
  'spool full': (doubles) => (doubles.spoolResult = { kind: 'full', reason: 'test' }),
  'spool unknown': (doubles) => (doubles.spoolResult = { kind: 'unknown', reason: 'test' }),
  'banner late': (doubles) => (doubles.abuse = { ...doubles.abuse, beforeBanner: () => new Promise(() => undefined) }),
  'client over-limit': refuseClient(
    replies.tooManyConnections('no more than 4 new connections in 1m from your address', 9_001),
  ),
  'client denied': refuseClient(replies.serviceRefused),
  'client banned': refuseClient(replies.banned),
  'client too-early': refuseClient(replies.notReady),
  'client too-much': refuseClient(replies.overloaded),
  'pod drains': (doubles) => (doubles.draining = true),
  'certificate none': (doubles) => (doubles.tls = { certificates: [], ticketSeed: undefined }),
  'snapshot none': (doubles) => (doubles.snapshot = undefined),
  'clock stands': (doubles) => (doubles.clock = new FakeClock()),
  'proxy required': (_doubles, listener) => (listener.proxyProtocol = true),
};

function setUp(doubles: Doubles, listener: Partial<Mutable<ListenerOptions>>, name: string, value: string): void {
  const option = options[`${name} ${value}`];
  if (option !== undefined) option(doubles, listener);
  else if (name === 'snapshot') doubles.setSnapshot(JSON.parse(value));
  else if (name === 'overload') doubles.overloaded = value;
  else throw new Error(`unknown option @${name} ${value}`);
}

/** A listener's role is the beginning of its name. */
function roleOf({ listener }: Dialog): ListenerRole {
  if (listener.startsWith('submissions')) return 'submissions';
  return listener.startsWith('submission') ? 'submission' : 'mx';
}

/** A pod for each, that every further connection goes round; undefined = keys of its own. */
function seedsOf({ options }: Dialog): readonly (string | undefined)[] {
  const tickets = options.find(({ name }) => name === 'tickets')?.value;
  if (tickets === undefined) return [undefined];
  return tickets === 'shared' ? ['one', 'one'] : ['one', 'another'];
}

const notifyWords = new Map([
  [Notify.NEVER, 'NEVER'],
  [Notify.SUCCESS, 'SUCCESS'],
  [Notify.FAILURE, 'FAILURE'],
  [Notify.DELAY, 'DELAY'],
]);

/** As a client would write it. */
function recipientText({ address, notify, originalRecipient }: ForwardPath): string {
  const events = notify.map((event) => notifyWords.get(event)).join(',');
  const orcpt = originalRecipient === '' ? '' : ` ORCPT=${originalRecipient}`;
  return `${address}${events === '' ? '' : ` NOTIFY=${events}`}${orcpt}`;
}

/** All the server said. */
export async function runDialog(file: string): Promise<readonly string[]> {
  const dialog = readDialog(file);
  const role = roleOf(dialog);
  const doubles = new Doubles();
  const listening: Partial<Mutable<ListenerOptions>> = { name: dialog.listener, role };
  const seeds = seedsOf(dialog);
  for (const { name, value } of dialog.options) if (name !== 'tickets') setUp(doubles, listening, name, value);
  const { clock } = doubles;
  const pods: Listener[] = [];
  for (const seed of seeds) {
    if (seed !== undefined) doubles.tls = { ...doubles.tls, ticketSeed: Buffer.from(seed) };
    pods.push(await doubles.listen(listening));
  }
  let connections = 0;
  try {
    return await run(dialog, {
      connect: () => RawClient.open(pods[connections++ % pods.length]?.port ?? 0, role === 'submissions'),
      stored: async () => doubles.stored.length,
      lastBody: async () => doubles.stored.at(-1)?.body ?? Buffer.alloc(0),
      lastRecipients: () => (doubles.stored.at(-1)?.envelope.forwardPaths ?? []).map(recipientText),
      ...(clock instanceof FakeClock ? { wait: (seconds: number) => clock.advance(seconds * 1_000) } : {}),
    });
  } finally {
    for (const pod of pods) {
      pod.destroy();
      await pod.drain();
    }
  }
}

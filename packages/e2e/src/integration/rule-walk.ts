/**
 * One rule for every action at every event it may be written for, each for a client address of its own, so that all of them stand side by side in
 * one configuration. A case says what its client does and what is to be seen of it: the reply that refuses, or the message at the next hop.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise

export type SessionEvent = 'connect' | 'ehlo' | 'auth' | 'mail' | 'rcpt' | 'headers' | 'body';
export type RuleEvent = SessionEvent | 'relay' | 'delivery-failure' | 'temporary-failure';

/** What the client does differently from a plain letter of a@good.test to bob@acme.test. */
export interface Play {
  readonly from?: string;
  readonly to?: readonly string[];
  /** Field From, where it is not the reverse-path. */
  readonly author?: string;
  readonly helo?: string;
  readonly mailParameters?: string;
  /** Commands nobody knows, before MAIL. */
  readonly nonsense?: number;
  /** From a network with the relay right. */
  readonly relays?: boolean;
}

export interface Seen {
  /** The first reply that refuses; absent = the message is taken. */
  readonly refusal?: RegExp;
  readonly banner?: RegExp;
  readonly offered?: string;
  /** At the next hop; empty = nothing arrives. */
  readonly arrivesFor?: readonly string[];
  readonly arrivesWith?: RegExp;
  readonly arrivesWithout?: RegExp;
  readonly arrivesFrom?: string;
  readonly greetedAs?: string;
  /** In trace, beside the rule. */
  readonly trace?: readonly RegExp[];
  /** A report with these words. */
  readonly report?: RegExp;
}

export interface Case {
  readonly id: string;
  readonly address: string;
  readonly event: RuleEvent;
  readonly action: string;
  readonly rule: object;
  readonly play: Play;
  readonly seen: Seen;
}

const session: readonly SessionEvent[] = ['connect', 'ehlo', 'auth', 'mail', 'rcpt', 'headers', 'body'];
const opening = session.slice(0, 5);
const message = session.slice(3);
const rendering = session.slice(4);
const failures = ['delivery-failure', 'temporary-failure'] as const;

export const cases: Case[] = [];

interface Written {
  /** Where one action has more than one case. */
  readonly as?: string;
  readonly then: readonly unknown[];
  readonly when?: string;
  readonly play?: Play;
  readonly seen?: Seen;
}

function add(event: RuleEvent, action: string, { as = '', then, when, play = {}, seen = {} }: Written): void {
  const number = cases.length + 1;
  const address = `127.${play.relays === true ? 21 : 20}.0.${number}`;
  const id = `${event}-${action}${as}`;
  const conditions = [`client.address == "${address}"`, ...(when === undefined ? [] : [when])];
  cases.push({ id, address, event, action, rule: { id, event, when: conditions, then }, play, seen });
}

const text = (event: string, action: string): string => `${action} of ${event}`;
const untrusted: Readonly<Partial<Record<RuleEvent, Play>>> = {
  ehlo: { helo: 'gate.acme.test' },
  mail: { from: 'a@bad.test' },
  headers: { author: 'blocked@plain.test' },
  body: { author: 'a@strict.test' },
};

/** Who is refused by a check of each event where no rule speaks; connect by a blocklist. */
export const refusedByChecks = Object.entries(untrusted);
export const listedAddresses = ['127.20.0.1', '127.22.0.1'] as const;

// The first case is that of the listed address.
for (const event of session) add(event, 'accept', { then: ['accept'], play: untrusted[event] ?? {} });
for (const event of session) {
  add(event, 'reject', {
    then: [{ reject: { code: 553, enhanced: '5.7.9', text: text(event, 'reject') } }],
    seen: {
      refusal: event === 'connect' ? /^554 5\.7\.9 reject of connect/ : new RegExp(`^553 5\\.7\\.9 reject of ${event}`),
    },
  });
  add(event, 'tempfail', {
    then: [{ tempfail: { code: 452, enhanced: '4.7.9', text: text(event, 'tempfail') } }],
    seen: {
      refusal:
        event === 'connect' ? /^421 4\.7\.9 tempfail of connect/ : new RegExp(`^452 4\\.7\\.9 tempfail of ${event}`),
    },
  });
  add(event, 'close', {
    then: [{ close: { text: text(event, 'close') } }],
    seen: { refusal: new RegExp(`^421 .*close of ${event}`) },
  });
  add(event, 'tag', { then: [{ tag: { name: 'walked' } }], seen: { greetedAs: 'tagged.test' } });
  const skip =
    event === 'auth'
      ? { then: [{ skip: { check: 'identity' } }], play: { from: 'carol@acme.test' } }
      : { then: [{ skip: { check: 'dmarc' } }], play: { author: 'a@strict.test' } };
  add(event, 'skip', skip);
}
for (const event of ['connect', 'ehlo', 'auth'] as const) {
  add(event, 'setLimit', {
    as: '-errors',
    then: [{ setLimit: { errors: 1 } }],
    play: { nonsense: 1 },
    seen: { refusal: /^421 4\.7\.0 / },
  });
}
for (const event of opening) {
  add(event, 'setLimit', {
    as: '-recipients',
    then: [{ setLimit: { recipients: 1 } }],
    play: { to: ['bob@acme.test', 'carol@acme.test'] },
    seen: { refusal: /^452 4\.5\.3 / },
  });
}
add('connect', 'greeting', { then: [{ greeting: { text: 'walk in' } }], seen: { banner: /walk in$/ } });
for (const event of ['connect', 'ehlo'] as const)
  add(event, 'auth', { then: [{ auth: { plain: ['LOGIN'] } }], seen: { offered: 'AUTH LOGIN' } });
for (const event of opening) {
  add(event, 'requireTls', {
    then: [{ requireTls: { text: text(event, 'requireTls') } }],
    seen: { refusal: new RegExp(`^530 5\\.7\\.0 requireTls of ${event}`) },
  });
  add(event, 'allowRelay', {
    then: [{ allowRelay: { for: 'none' } }],
    play: { to: ['x@far.test'], relays: true },
    seen: { refusal: /^550 5\.7\.1 relaying denied/ },
  });
  add(event, 'allowLocal', { then: [{ allowLocal: { for: 'none' } }], seen: { refusal: /^55\d 5\.7\.1 / } });
  add(event, 'setLimit', {
    then: [{ setLimit: { size: 100 } }],
    play: { mailParameters: 'SIZE=200' },
    seen: { refusal: /^552 5\.3\.4 / },
  });
  add(event, 'run', { then: [{ run: { check: 'domainkeys' } }], seen: { trace: [/domainkeys/] } });
}
for (const event of message) {
  add(event, 'discard', { then: ['discard'], seen: { arrivesFor: [], trace: [/discarded/i] } });
  add(event, 'quarantine', {
    then: [{ quarantine: { reason: text(event, 'quarantine') } }],
    seen: { arrivesFor: [], trace: [/quarantined/i] },
  });
  add(event, 'hold', { then: [{ hold: { reason: text(event, 'hold') } }], seen: { arrivesFor: [], trace: [/held/i] } });
}
for (const event of rendering) {
  const field = { name: 'X-Walk', value: 'walked' };
  add(event, 'addHeader', { then: [{ addHeader: field }], seen: { arrivesWith: /^X-Walk: walked\r$/m } });
  add(event, 'addHeaderIfAbsent', {
    then: [{ addHeaderIfAbsent: field }, { addHeaderIfAbsent: { name: 'Subject', value: 'another' } }],
    seen: { arrivesWith: /^X-Walk: walked\r$/m, arrivesWithout: /another/ },
  });
  add(event, 'changeHeader', {
    then: [{ changeHeader: { name: 'Subject', value: 'changed' } }],
    seen: { arrivesWith: /^Subject: changed\r$/m, arrivesWithout: /^Subject: walk/m },
  });
  add(event, 'removeHeader', { then: [{ removeHeader: { name: 'Subject' } }], seen: { arrivesWithout: /^Subject:/m } });
  add(event, 'dropRecipient', {
    then: ['dropRecipient'],
    when: 'recipient.user == "carol"',
    play: { to: ['bob@acme.test', 'carol@acme.test'] },
    seen: { arrivesFor: ['bob@acme.test'] },
  });
}
add('mail', 'changeSender', {
  then: [{ changeSender: { address: 'changed@good.test' } }],
  seen: { arrivesFrom: 'changed@good.test' },
});
add('rcpt', 'redirect', {
  then: [{ redirect: { address: 'carol@acme.test' } }],
  seen: { arrivesFor: ['carol@acme.test'] },
});
add('rcpt', 'addRecipient', {
  then: [{ addRecipient: { address: 'carol@acme.test' } }],
  seen: { arrivesFor: ['bob@acme.test', 'carol@acme.test'] },
});

add('relay', 'reject', {
  then: [{ reject: { enhanced: '5.7.9', text: 'reject of relay' } }],
  seen: { arrivesFor: [], trace: [/bounced/i], report: /reject of relay/ },
});
add('relay', 'tempfail', {
  then: [{ tempfail: { text: 'tempfail of relay' } }],
  seen: { arrivesFor: [], trace: [/deferred/i] },
});
add('relay', 'route', { then: [{ route: { helo: 'routed.test' } }], seen: { greetedAs: 'routed.test' } });
for (const event of ['relay', ...failures] as const) {
  const to = {
    relay: 'bob@acme.test',
    'delivery-failure': '550-walk@open.test',
    'temporary-failure': '451-walk@open.test',
  };
  const play = { to: [to[event]] };
  add(event, 'discard', { then: ['discard'], play, seen: { arrivesFor: [], trace: [/discarded/i] } });
  add(event, 'hold', {
    then: [{ hold: { reason: text(event, 'hold') } }],
    play,
    seen: { arrivesFor: [], trace: [/"held"/i] },
  });
  const ends = event === 'delivery-failure' ? [{ tempfail: {} }] : [];
  const failing = { to: [to[event === 'relay' ? 'temporary-failure' : event]] };
  add(event, 'retrySchedule', {
    then: [...ends, { retrySchedule: { delays: [1], giveUpAfter: 3 } }],
    play: failing,
    seen: { arrivesFor: [], trace: [/expired|bounced/i], report: /(451|550)-walk/ },
  });
  if (event === 'relay') continue;
  add(event, 'ndrText', {
    then: [{ ndrText: { text: text(event, 'ndrText') } }],
    play,
    seen: { arrivesFor: [], report: new RegExp(`ndrText of ${event}`) },
  });
}
add('delivery-failure', 'tempfail', {
  then: [{ tempfail: {} }],
  play: { to: ['550-walk@open.test'] },
  seen: { arrivesFor: [], trace: [/deferred/i] },
});
add('temporary-failure', 'reject', {
  then: [{ reject: { enhanced: '5.7.9', text: 'reject of temporary-failure' } }],
  play: { to: ['451-walk@open.test'] },
  seen: { arrivesFor: [], trace: [/bounced/i], report: /reject of temporary-failure/ },
});

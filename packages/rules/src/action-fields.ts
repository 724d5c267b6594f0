/**
 * Every action with its fields, for people: the reference page and what is said of an action that is written otherwise. What is allowed is the
 * parser's to say; a test holds the two together. The first field is the one an action is mostly about.
 */
import type { ActionKind } from './action.js';

export interface ActionField {
  readonly name: string;
  readonly type: string;
  /** As it is written; undefined = there is none. */
  readonly default?: string;
  readonly required?: true;
  /** Of several fields of which one is needed, that most want. */
  readonly usual?: true;
  readonly doc: string;
  /** A value that is allowed, as it is written in YAML. */
  readonly example: string;
}

export interface ActionDoc {
  readonly doc: string;
  readonly fields: readonly ActionField[];
}

const text = (limit: number): string => `text of 1 to ${limit} characters, without line breaks`;
const number = (least: number, most: number): string => `whole number, ${least} to ${most}`;
const size = 'bytes, 0 to 1TiB, as a number or a size such as 10MiB';
const clientele = 'none, authenticated, all';
const address = 'address, user@domain';
const headerName = 'header field name, 1 to 76 characters, none that the gateway writes by itself';
const mechanisms = 'list of SASL mechanisms';

const header = (doc: string): ActionDoc => ({
  doc,
  fields: [
    { name: 'name', type: headerName, required: true, doc: 'Which field.', example: 'X-Spam' },
    { name: 'value', type: text(900), required: true, doc: 'What it says.', example: '"yes"' },
  ],
});

const reply = (doc: string, code: readonly [number, number, number], enhanced: string, words: string): ActionDoc => ({
  doc,
  fields: [
    { name: 'text', type: text(400), default: words, doc: 'What the client is told.', example: '"not here"' },
    {
      name: 'code',
      type: number(code[0], code[1]),
      default: String(code[2]),
      doc: 'Reply code.',
      example: String(code[2]),
    },
    {
      name: 'enhanced',
      type: 'enhanced status code (RFC 3463) of the class of the reply',
      default: enhanced,
      doc: 'Enhanced status code.',
      example: enhanced,
    },
  ],
});

const kept = (doc: string): ActionDoc => ({
  doc,
  fields: [{ name: 'reason', type: text(400), default: 'rule', doc: 'Shown with the message.', example: '"by rule"' }],
});

const to = (doc: string): ActionDoc => ({
  doc,
  fields: [{ name: 'address', type: address, required: true, doc: 'Who.', example: 'user@example.test' }],
});

const check = (doc: string): ActionDoc => ({
  doc,
  fields: [{ name: 'check', type: 'name of a check', required: true, doc: 'Which check.', example: 'spf' }],
});

const right = (doc: string): ActionDoc => ({
  doc,
  fields: [{ name: 'for', type: clientele, required: true, doc: 'Who still may.', example: 'authenticated' }],
});

const actionTable: { readonly [Kind in ActionKind]: ActionDoc } = {
  accept: { doc: 'Ends the judgement of its scope: nothing of it refuses any more.', fields: [] },
  reject: reply('Refuses for good.', [500, 599, 550], '5.7.1', 'Refused by a rule'),
  tempfail: reply('Refuses for now; the sender tries again.', [400, 499, 451], '4.7.1', 'Try again later'),
  discard: { doc: 'Takes the message and throws it away.', fields: [] },
  quarantine: kept('Takes the message and keeps it in quarantine.'),
  hold: kept('Takes the message; it waits until an operator releases it.'),
  close: {
    doc: 'Refuses and ends the connection.',
    fields: [
      { name: 'text', type: text(400), default: 'Closing by rule', doc: 'What the client is told.', example: '"bye"' },
    ],
  },
  greeting: {
    doc: 'The words of the banner.',
    fields: [{ name: 'text', type: text(200), required: true, doc: 'After the host name.', example: '"at your own"' }],
  },
  setLimit: {
    doc: 'Narrows limits of the session; the tighter one holds. From a rule about single recipients it is theirs. At least one field.',
    fields: [
      { name: 'size', type: size, doc: 'Bytes of a message.', example: '10MiB' },
      { name: 'recipients', type: number(0, 100_000), doc: 'Recipients of a message.', example: '10' },
      { name: 'errors', type: number(0, 100_000), doc: 'Failed commands of the session.', example: '5' },
    ],
  },
  auth: {
    doc: 'The mechanisms offered. At least one field; an empty list offers none.',
    fields: [
      { name: 'tls', type: mechanisms, default: 'as it was', doc: 'On TLS.', example: '[PLAIN]' },
      { name: 'plain', type: mechanisms, default: 'as it was', doc: 'Without TLS.', example: '[]' },
    ],
  },
  requireTls: {
    doc: 'Demands STARTTLS first (530).',
    fields: [
      {
        ...{ name: 'text', type: text(400), default: 'Must issue a STARTTLS command first' },
        ...{ doc: 'What the client is told.', example: '"use STARTTLS"' },
      },
    ],
  },
  allowRelay: right('Who may send to domains that are not hosted here. `all` is refused.'),
  allowLocal: right('Who may send to hosted domains.'),
  skip: check('The check is not made, or has no consequence for the recipient.'),
  run: check('The check is made where settings leave it off.'),
  addHeader: header('Adds a field below those there are.'),
  addHeaderIfAbsent: header('Adds the field below those there are, where there is none of its name.'),
  changeHeader: {
    doc: 'Replaces the value, or puts words before and behind it where they are not there already. Does nothing where there is no such field.',
    fields: [
      { name: 'name', type: headerName, required: true, doc: 'Which field.', example: 'Subject' },
      {
        ...{ name: 'value', type: text(900), usual: true, example: '"yes"' },
        doc: 'What it says. Needed without prefix and suffix.',
      },
      { name: 'prefix', type: text(200), doc: 'Before the old value; of a field of text.', example: '"[EXTERNAL] "' },
      { name: 'suffix', type: text(200), doc: 'Behind the old value; of a field of text.', example: '" (external)"' },
    ],
  },
  removeHeader: {
    doc: 'Removes every field of the name.',
    fields: [{ name: 'name', type: headerName, required: true, doc: 'Which field.', example: 'X-Spam' }],
  },
  addRecipient: to('A copy goes there.'),
  dropRecipient: { doc: 'This recipient gets no copy.', fields: [] },
  redirect: to('The copy goes there instead.'),
  changeSender: {
    doc: 'Another reverse-path.',
    fields: [
      {
        ...{ name: 'address', type: `${address} in ASCII, or "" for the null sender`, required: true },
        ...{ doc: 'Which.', example: 'user@example.test' },
      },
    ],
  },
  tag: {
    doc: 'Marks the message; `message.tags` and trace show it.',
    fields: [{ name: 'name', type: text(64), required: true, doc: 'Of the tag.', example: 'large' }],
  },
  route: {
    doc: 'Where mail leaves and how. At least one field.',
    fields: [
      {
        name: 'to',
        type: 'name of a next hop; not beside host',
        doc: 'A next hop of the configuration.',
        example: 'hop',
      },
      { name: 'host', type: 'host name or address', doc: 'Next hop by itself.', example: 'out.example.test' },
      { name: 'port', type: number(1, 65_535), default: '25', doc: 'Of host.', example: '587' },
      { name: 'login', type: 'name of a next hop', doc: 'Whose sealed login goes with host.', example: 'hop' },
      {
        ...{ name: 'tls', type: 'none, opportunistic, required, verified, implicit', default: 'as it was' },
        ...{ doc: 'How the connection is encrypted.', example: 'required' },
      },
      { name: 'tlsVersions', type: 'list of TLSv1.2, TLSv1.3', doc: 'These only.', example: '[TLSv1.3]' },
      { name: 'sourceAddress', type: 'IP address', doc: 'From which it leaves.', example: '192.0.2.1' },
      { name: 'helo', type: 'host name', doc: 'What EHLO says.', example: 'mail.example.test' },
      { name: 'egressPool', type: 'name of a pool', doc: 'Delivery pods that take it.', example: 'main' },
    ],
  },
  ndrText: {
    doc: 'Words added to the report or the notice of delay.',
    fields: [{ name: 'text', type: text(1_000), required: true, doc: 'Which.', example: '"ask the help desk"' }],
  },
  retrySchedule: {
    doc: 'When delivery is tried again.',
    fields: [
      {
        ...{ name: 'delays', type: 'list of 1 to 50 whole numbers of seconds, each 1 to 2678400', required: true },
        ...{ doc: 'Between attempts; the last one repeats.', example: '[60, 600]' },
      },
      {
        ...{ name: 'giveUpAfter', type: `seconds, ${number(0, 2_678_400)}`, default: 'as it was' },
        ...{ doc: 'After acceptance.', example: '86400' },
      },
    ],
  },
};

const docs: ReadonlyMap<string, ActionDoc> = new Map(Object.entries(actionTable));

export const actionKinds: readonly string[] = [...docs.keys()];

/** One row of the reference for each action. */
export interface ActionEntry extends ActionDoc {
  readonly kind: ActionKind;
}

const isKind = (name: string): name is ActionKind => Object.hasOwn(actionTable, name);

export const actionEntries: readonly ActionEntry[] = Object.keys(actionTable)
  .filter(isKind)
  .map((kind) => ({ kind, ...actionTable[kind] }));

export const actionDoc = (kind: string): ActionDoc | undefined => docs.get(kind);

/** `tag: { name: large }`, with the value where it is one of a field. */
export function usageOf(kind: string, given?: string | number): string {
  const doc = docs.get(kind);
  if (doc === undefined || doc.fields.length === 0) return kind;
  const [main] = doc.fields;
  const needed = doc.fields.filter(({ required, usual }) => required === true || usual === true);
  const shown = needed.length > 0 || main === undefined ? needed : [main];
  const value = ({ example }: ActionField, index: number): string =>
    index === 0 && given !== undefined ? JSON.stringify(given) : example;
  return `${kind}: { ${shown.map((field, index) => `${field.name}: ${value(field, index)}`).join(', ')} }`;
}

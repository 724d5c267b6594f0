/**
 * One NATS user per service (design.md, Trust): the subjects each may publish and subscribe to. Whatever is not listed is denied; a test
 * walks every denied pair. Each user has an inbox prefix of its own, so that no service reads another's replies.
 */
import {
  type BucketName,
  backConsumer,
  type ConsumerDeclaration,
  type StreamName,
  streamDeclarations,
} from './streams.js';
import { backSubjects } from './subjects.js';

export type ServiceUser = 'edge' | 'policy' | 'queue' | 'delivery' | 'provisioning';

export const serviceUsers: readonly ServiceUser[] = ['edge', 'policy', 'queue', 'delivery', 'provisioning'];

export interface SubjectPermissions {
  readonly publish: readonly string[];
  /** Taken out of `publish` again. */
  readonly denied: readonly string[];
  readonly subscribe: readonly string[];
}

/** Provisioning asks what the others see of their dependencies; `<nonce>` names the question. */
export const statusQuestion = 'status.ask';
export const statusAnswer = (user: string, nonce: string): string => `status.said.${user}.${nonce}`;

export const inboxPrefix = (user: ServiceUser): string => `_INBOX_${user}`;

const readStream = (stream: string): string[] => [
  `$JS.API.STREAM.INFO.${stream}`,
  `$JS.API.STREAM.MSG.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}.>`,
  `$JS.API.CONSUMER.CREATE.${stream}`,
  `$JS.API.CONSUMER.CREATE.${stream}.>`,
  `$JS.API.CONSUMER.INFO.${stream}.>`,
  `$JS.API.CONSUMER.DELETE.${stream}.>`,
  `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
];
const readBucket = (bucket: BucketName): string[] => readStream(`KV_${bucket}`);
/** Binds the durable consumers that provisioning made: may take and acknowledge, not create or delete. */
const consume = (stream: StreamName): string[] => [
  `$JS.API.CONSUMER.INFO.${stream}.>`,
  `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
  `$JS.ACK.${stream}.>`,
];
/** The same of one consumer alone. */
const consumeOnly = ({ stream, durable }: ConsumerDeclaration): string[] => [
  `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
  `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
  `$JS.ACK.${stream}.${durable}.>`,
];
const allStreamInfo = streamDeclarations.map(({ name }) => `$JS.API.STREAM.INFO.${name}`);
const base = ['$JS.API.INFO', '$JS.FC.>', ...allStreamInfo];

const publish: Record<ServiceUser, readonly string[]> = {
  edge: [...base, 'spool.>', 'bodies.>', 'trace.edge', ...readBucket('CONFIG')],
  policy: [...base, 'trace.policy', ...readBucket('CONFIG'), ...readBucket('DIRECTORY')],
  queue: [
    ...base,
    'work.>',
    'outcomes.queue',
    'bodies.>',
    'parked.>',
    // What an operator retries goes back from PARKED to where it came from.
    'spool.>',
    'trace.queue',
    ...consume('SPOOL'),
    ...consume('OUTCOMES'),
    ...consume('TRACE'),
    ...readStream('BODIES'),
    '$JS.API.STREAM.PURGE.BODIES',
    // The ledger counts what WORK and PARKED carry; leftovers of a killed server, and what is parked, are read and removed one by one.
    ...['SPOOL', 'WORK', 'OUTCOMES', 'PARKED'].flatMap((stream) => [
      `$JS.API.DIRECT.GET.${stream}`,
      `$JS.API.DIRECT.GET.${stream}.>`,
      `$JS.API.STREAM.MSG.DELETE.${stream}`,
    ]),
    // What one message is decided by is asked of the leader: another replica may lag.
    ...['SPOOL', 'WORK', 'PARKED'].map((stream) => `$JS.API.STREAM.MSG.GET.${stream}`),
    ...['SPOOL', 'WORK', 'OUTCOMES'].map((stream) => `$JS.API.CONSUMER.INFO.${stream}.>`),
    // Of WORK only what was left there to come back.
    ...consumeOnly(backConsumer),
    ...readBucket('CONFIG'),
    ...readBucket('DIRECTORY'),
  ],
  delivery: [
    ...base,
    'outcomes.delivery',
    // A batch that keeps coming back is put back as its single items, in whichever pool it is of.
    'work.>',
    'bodies.>',
    'parked.>',
    'trace.delivery',
    ...consume('WORK'),
    ...readStream('BODIES'),
    ...readBucket('CONFIG'),
    ...readBucket('SECRETS'),
  ],
  provisioning: [
    ...base,
    '$JS.API.STREAM.CREATE.>',
    '$JS.API.STREAM.UPDATE.>',
    '$JS.API.STREAM.INFO.>',
    '$JS.API.STREAM.NAMES',
    '$JS.API.CONSUMER.CREATE.>',
    '$JS.API.CONSUMER.DURABLE.CREATE.>',
    '$JS.API.CONSUMER.INFO.>',
    'trace.provisioning',
    '$KV.CONFIG.>',
    '$KV.SECRETS.>',
    '$KV.DIRECTORY.>',
    ...readBucket('CONFIG'),
    ...readBucket('SECRETS'),
    ...readBucket('DIRECTORY'),
  ],
};

/** What is left in WORK to come back is queue's alone; the names of egress pools cannot be listed here. */
const denied: Partial<Record<ServiceUser, readonly string[]>> = {
  delivery: [backSubjects, ...consumeOnly(backConsumer)],
};

export function permissionsOf(user: ServiceUser): SubjectPermissions {
  const asks = user === 'provisioning';
  return {
    publish: [...publish[user], asks ? statusQuestion : statusAnswer(user, '*')],
    denied: denied[user] ?? [],
    subscribe: [`${inboxPrefix(user)}.>`, asks ? statusAnswer('*', '*') : statusQuestion],
  };
}

/** The inside of the `authorization` block of a nats-server configuration file. Passwords are quoted; they must not hold quotes or control bytes. */
export function natsAuthorization(passwords: Readonly<Record<ServiceUser, string>>): string {
  const list = (subjects: readonly string[]): string =>
    `[${subjects.map((subject) => JSON.stringify(subject)).join(', ')}]`;
  const users = serviceUsers.map((user) => {
    const { publish: allowPublish, denied: denyPublish, subscribe } = permissionsOf(user);
    const deny = denyPublish.length === 0 ? '' : `, deny: ${list(denyPublish)}`;
    return `    { user: ${user}, password: ${JSON.stringify(passwords[user])}, permissions: { publish: { allow: ${list(allowPublish)}${deny} }, subscribe: { allow: ${list(subscribe)} } } }`;
  });
  return `users: [\n${users.join('\n')}\n]\n`;
}

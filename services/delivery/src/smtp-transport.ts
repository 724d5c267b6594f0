/**
 * The transport over SMTP and LMTP: a slot at the site, a kept or new connection, one transaction. A kept connection that turns out stale is replaced
 * by a fresh one once.
 */
import type { Clock } from '@postern/clock';
import { BodyType, DsnReturn, Notify } from '@postern/proto/mail/v1/envelope';
import type { Item } from '@postern/proto/mail/v1/item';
import {
  type ConnectionFailure,
  type ConnectOptions,
  connectOrFallBack,
  hopOptions,
  type MissingFeature,
  type OutboundMessage,
  type OutboundRecipient,
  type RecipientOutcome,
  type SmtpConnection,
  type TlsMode,
} from '@postern/smtp-client';
import type { ConnectionPool } from './connection-pool.js';
import type { Slots } from './slots.js';
import type { Attempt, AttemptResult, Hop, RecipientAnswer, RenderedMessage, Transport } from './transport.js';

export interface SmtpTransportOptions {
  readonly clock: Clock;
  readonly pool: ConnectionPool;
  readonly slots: Slots;
  /** Name given in EHLO where no rule chose one. */
  readonly helo: () => string;
  readonly connectTimeoutMs: number;
  /** Source address for an egress pool; undefined = any. */
  readonly localAddress: (egressPool: string) => string | undefined;
}

type SecureVersion = 'TLSv1.2' | 'TLSv1.3';

const notifyNames = { [Notify.SUCCESS]: 'SUCCESS', [Notify.FAILURE]: 'FAILURE', [Notify.DELAY]: 'DELAY' } as const;

function notifyOf(values: readonly Notify[]): NonNullable<OutboundRecipient['notify']> | null {
  if (values.length === 0) return null;
  return values.flatMap((value) =>
    value === Notify.SUCCESS || value === Notify.FAILURE || value === Notify.DELAY ? [notifyNames[value]] : [],
  );
}

function bodyTypeOf(type: BodyType | undefined): OutboundMessage['body'] {
  if (type === BodyType.BODY_TYPE_8BITMIME) return '8BITMIME';
  return type === BodyType.BODY_TYPE_BINARYMIME ? 'BINARYMIME' : '7BIT';
}

function messageOf(item: Item, rendered: RenderedMessage, mayFinish: () => boolean): OutboundMessage {
  const { parameters } = item;
  const ret = parameters?.dsnReturn;
  return {
    reversePath: item.reversePath,
    recipients: item.recipients.map(({ address, notify, originalRecipient }) => ({
      forwardPath: address,
      notify: notifyOf(notify),
      originalRecipient: originalRecipient === '' ? null : originalRecipient,
    })),
    body: bodyTypeOf(parameters?.bodyType),
    smtputf8: parameters?.smtputf8 ?? false,
    requireTls: parameters?.requireTls ?? false,
    ret: ret === DsnReturn.FULL ? 'FULL' : ret === DsnReturn.HDRS ? 'HDRS' : null,
    envelopeId: parameters?.envid === '' ? null : (parameters?.envid ?? null),
    size: rendered.size,
    assume8bit: true,
    content: () => rendered.chunks,
    beforeFinalDot: mayFinish,
  };
}

const unreachable = (failure: ConnectionFailure): AttemptResult => ({
  kind: 'unreachable',
  code: failure.reply?.code ?? 0,
  enhanced:
    failure.reply?.enhanced ??
    (failure.reason === 'certificate' || failure.reason === 'notOffered' ? '4.7.0' : '4.4.1'),
  text: failure.reply === null ? failure.detail : failure.reply.lines.join(' '),
});

type Answered = { readonly kind: 'answer'; readonly answer: Omit<RecipientAnswer, 'address'> };
type Undecided = { readonly kind: 'fenced' } | { readonly kind: 'failed'; readonly failure: ConnectionFailure };

function answer(
  disposition: RecipientAnswer['disposition'],
  code: number,
  enhanced: string,
  text: string,
  maybeDelivered = false,
): Answered {
  return { kind: 'answer', answer: { disposition, code, enhanced, text, maybeDelivered } };
}

/** RFC 6531 §3.6, RFC 3463 §3.7, RFC 8689 §6, RFC 1870 §6. */
const missingCodes: Readonly<Record<MissingFeature, string>> = {
  SMTPUTF8: '5.6.7',
  '8BITMIME': '5.6.1',
  BINARYMIME: '5.6.1',
  REQUIRETLS: '5.7.30',
  SIZE: '5.3.4',
};

function read(outcome: RecipientOutcome): Answered | Undecided {
  switch (outcome.kind) {
    case 'accepted':
    case 'temporary':
    case 'permanent': {
      const { code, enhanced, lines } = outcome.reply;
      return answer(outcome.kind, code, enhanced ?? '', lines.join(' '));
    }
    case 'notSupported':
      // RFC 6531 §3.2, RFC 8689 §4.3, RFC 1870 §6: the next hop cannot carry this message as it is.
      return answer('permanent', 550, missingCodes[outcome.feature], `next hop lacks ${outcome.feature}`);
    case 'bareNewline':
      return answer('permanent', 554, '5.6.0', 'message holds a bare CR or LF');
    case 'sourceFailed':
      return answer('temporary', 451, '4.3.0', `content could not be read: ${outcome.detail}`);
    case 'unknownAfterDot':
      return answer('temporary', 0, '4.4.2', `connection lost after the final dot: ${outcome.failure.detail}`, true);
    case 'fenced':
      return { kind: 'fenced' };
    case 'failed':
      return { kind: 'failed', failure: outcome.failure };
  }
}

/** Versions are named for mail that may leave with these only: without TLS it does not leave. */
const demandedMode = (mode: TlsMode, versions: readonly string[]): TlsMode =>
  versions.length > 0 && mode !== 'verified' ? 'required' : mode;

function versionBounds(versions: readonly string[]): {
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
} {
  const old = versions.includes('TLSv1.2');
  const current = versions.includes('TLSv1.3');
  return { minVersion: old ? 'TLSv1.2' : 'TLSv1.3', maxVersion: current || !old ? 'TLSv1.3' : 'TLSv1.2' };
}

/** What a rule chose is never served by a connection made otherwise. */
function egressKey({ settings }: Hop, { route }: Item): readonly string[] {
  const egress = route?.egress;
  if (egress === undefined) return [];
  return [String(settings.implicitTls), egress.sourceAddress, egress.helo, egress.tlsVersions.join()];
}

export function createSmtpTransport(options: SmtpTransportOptions): Transport {
  const { pool, slots, clock } = options;
  const keyOf = (hop: Hop, item: Item): string =>
    [
      hop.address,
      hop.settings.port,
      hop.host,
      hop.settings.tlsMode,
      hop.settings.username,
      item.route?.egressPool ?? '',
      item.tenant,
      ...egressKey(hop, item),
    ].join('|');

  async function open(
    hop: Hop,
    item: Item,
  ): Promise<{ readonly connection: SmtpConnection } | { readonly failure: ConnectionFailure }> {
    const egress = item.route?.egress;
    const localAddress = egress?.sourceAddress || options.localAddress(item.route?.egressPool ?? '');
    const versions = egress?.tlsVersions ?? [];
    const { username } = hop.settings;
    const { tls, ...where } = hopOptions(hop.settings);
    const connectOptions: ConnectOptions = {
      ...where,
      address: hop.address,
      localName: egress?.helo || options.helo(),
      tls: {
        ...tls,
        mode: demandedMode(tls.mode, versions),
        ...(versions.length === 0 ? {} : { context: versionBounds(versions) }),
      },
      timeouts: { connect: options.connectTimeoutMs },
      clock,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(username === '' ? {} : { credentials: { username, password: hop.password ?? '' } }),
    };
    const connected = await connectOrFallBack(connectOptions);
    return connected.ok ? { connection: connected.connection } : { failure: connected.failure };
  }

  async function transact(connection: SmtpConnection, attempt: Attempt): Promise<AttemptResult | 'stale'> {
    const { outcomes } = await connection.send(messageOf(attempt.item, attempt.open(), attempt.mayFinish));
    const readings = outcomes.map(read);
    if (readings.some(({ kind }) => kind === 'fenced')) return { kind: 'fenced' };
    const failed = readings.find((reading) => reading.kind === 'failed');
    if (failed?.kind === 'failed') {
      if (failed.failure.reason === 'stale') return 'stale';
      // Lost before the final dot: nobody has it. Refusals already spoken are kept; the rest goes to the next host.
      if (readings.every(({ kind }) => kind === 'failed')) return unreachable(failed.failure);
    }
    const answers = attempt.item.recipients.map(({ address }, index): RecipientAnswer => {
      const reading = readings[index];
      if (reading?.kind === 'answer') return { address, ...reading.answer };
      const detail = reading?.kind === 'failed' ? reading.failure.detail : 'no outcome';
      return { address, disposition: 'temporary', code: 0, enhanced: '4.4.2', text: detail, maybeDelivered: false };
    });
    return { kind: 'answered', answers, tlsVersion: connection.tls?.version ?? '' };
  }

  return {
    async attempt(hop, attempt) {
      const key = keyOf(hop, attempt.item);
      const release = await slots.take(`${hop.address}:${hop.settings.port}`);
      try {
        for (let kept = pool.lend(key); ; kept = undefined) {
          const opened = kept === undefined ? await open(hop, attempt.item) : { connection: kept };
          if ('failure' in opened) return unreachable(opened.failure);
          const result = await transact(opened.connection, attempt);
          pool.giveBack(key, opened.connection);
          if (result !== 'stale') return result;
          if (kept === undefined)
            return { kind: 'unreachable', code: 0, enhanced: '4.4.2', text: 'connection closed at once' };
        }
      } finally {
        release();
      }
    },
    close: () => pool.close(),
  };
}

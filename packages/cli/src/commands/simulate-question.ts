/** What posternctl simulate asks: the facts of the session described, rules and checks to be tried in place of the saved ones, and what is supposed of delivery. */
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import { DeliveryScene } from '@postern/proto/queue/v1/queue_service';
import { isMap, parseDocument, stringify } from 'yaml';
import { UsageError } from '../usage-error.js';
import type { CandidateRules } from './candidate-rules.js';
import { readCertificate, readSettingsFile } from './simulate-files.js';
import type { DescribedOptions, SimulateOptions } from './simulate-options.js';

const roles: readonly string[] = ['mx', 'submission', 'submissions'];

/** A file as `checks put` takes it, or one with a `checks` section. */
function checksOf({ checks, domain }: SimulateOptions): { scope: string; document: string } | undefined {
  if (checks === undefined) return undefined;
  const text = readSettingsFile(checks);
  const parsed = parseDocument(text, { logLevel: 'silent' });
  const section: unknown = parsed.errors.length > 0 ? undefined : parsed.get('checks');
  return { scope: domain ?? '', document: isMap(section) ? stringify(section) : text };
}

/** What is to be tried in place of what is saved. */
export const tried = (options: SimulateOptions, { rules }: CandidateRules) => ({
  candidates: [...rules],
  checks: checksOf(options),
});

/** Logins are asked for on TLS; submissions has nothing else. */
function versionOf({ tls, user, clientCertificate }: SimulateOptions, listener: string): string {
  if (typeof tls === 'string') return tls;
  const wantsTls = user !== undefined || clientCertificate !== undefined;
  const isUsual = listener === 'submissions' || (wantsTls && tls !== false);
  return isUsual ? 'TLSv1.3' : '';
}

export function describe(options: DescribedOptions, content: Buffer, candidates: CandidateRules): SimulateRequest {
  const listener = options.listener ?? (options.user === undefined ? 'mx' : 'submission');
  const version = versionOf(options, listener);
  const [, domain = ''] = /@([^@]*)$/.exec(options.user ?? '') ?? [];
  if (options.user !== undefined && domain === '') throw new UsageError('--user: expected a login user@domain');
  return SimulateRequest.fromPartial({
    tenant: options.tenant ?? '',
    content,
    ...tried(options, candidates),
    facts: {
      origin: {
        clientAddress: options.client,
        clientPort: 40_000,
        helo: options.helo,
        listener,
        withProtocol: `ESMTP${version === '' ? '' : 'S'}${options.user === undefined ? '' : 'A'}`,
        tlsVersion: version,
        authenticatedUser: options.user ?? '',
        edge: 'simulation',
      },
      // That of any other listener is in its settings.
      listenerRole: roles.includes(listener) ? listener : '',
      ...(options.clientCertificate === undefined
        ? {}
        : { clientCertificate: readCertificate(options.clientCertificate) }),
      esmtp: true,
      addressSuspected: options.sourceNat === true,
      submittingTenant: options.user === undefined ? '' : (options.tenant ?? ''),
      reversePath: options.from ?? '',
      hasReversePath: options.from !== undefined,
      declaredSize: options.size === 0 ? content.length : options.size,
      recipients: options.to.map((address) => ({
        address,
        recipientClass: RecipientClass.UNSPECIFIED,
        asked: true,
      })),
      authMechanism: options.user === undefined ? '' : options.mechanism,
      relayRight: options.user !== undefined,
    },
  });
}

const replyShape = /^([45]\d\d)(?: (\d\.\d{1,3}\.\d{1,3}))?(?: ([^\r\n]{1,400}))?$/;

/** What is supposed of delivery. */
export function sceneOf({ reply, attempt, age }: SimulateOptions): DeliveryScene {
  const base = { attempt, ageMs: age * 1_000 };
  if (reply === undefined) return DeliveryScene.fromPartial(base);
  const [, code, enhancedCode = '', replyText = ''] = replyShape.exec(reply) ?? [];
  if (code === undefined)
    throw new UsageError(`--reply: ${JSON.stringify(reply)} is not allowed; expected a failure as "452 4.2.2 full"`);
  return DeliveryScene.fromPartial({ ...base, reply: { replyCode: Number(code), enhancedCode, replyText } });
}

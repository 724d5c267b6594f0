/**
 * The cluster the dialogs speak to: names, users and limits as the edge's doubles have them (services/edge/src/testing), and one listener for
 * every setting a dialog asks for by name.
 */
import { freePort } from '@postern/local';

export interface ConformanceListener {
  readonly role: 'mx' | 'submission' | 'submissions';
  readonly port: number;
  /** Operator settings besides the role's own. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const settings: Readonly<Record<string, Omit<ConformanceListener, 'port'>>> = {
  mx: { role: 'mx', settings: {} },
  submission: { role: 'submission', settings: {} },
  submissions: { role: 'submissions', settings: {} },
  'mx-bare': {
    role: 'mx',
    settings: {
      extensions: Object.fromEntries(
        ['starttls', 'pipelining', 'size', 'eightBitMime', 'chunking', 'smtpUtf8', 'dsn', 'enhancedStatusCodes']
          .concat(['requireTls', 'limits', 'auth', 'binaryMime'])
          .map((name) => [name, false]),
      ),
    },
  },
  'mx-chunks': { role: 'mx', settings: { extensions: { binaryMime: false } } },
  'mx-limited': { role: 'mx', settings: { limits: { messageSize: '2KiB', recipients: 2, messagesPerSession: 2 } } },
  'mx-named': { role: 'mx', settings: { hostname: 'in.partner.test', banner: 'for partners' } },
  'mx-normalise': { role: 'mx', settings: { linePolicy: 'normalise' } },
  'mx-tls': { role: 'mx', settings: { requireTls: true } },
  'mx-xclient': { role: 'mx', settings: { xclient: ['127.0.0.0/8'] } },
  'submissions-all': {
    role: 'submissions',
    settings: {
      authMechanismsTls: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'CRAM-MD5', 'DIGEST-MD5'].concat([
        'PLAIN',
        'LOGIN',
        'OAUTHBEARER',
        'XOAUTH2',
      ]),
    },
  },
  'submission-optional': { role: 'submission', settings: { requireTls: false, authMechanismsPlain: ['PLAIN'] } },
};

/** Those every cluster has; their ports are the cluster's own. */
export const common = ['mx', 'submission', 'submissions'] as const;
const isCommon = (name: string): boolean => common.some((one) => one === name);

export async function reserveListeners(): Promise<ReadonlyMap<string, ConformanceListener>> {
  const made = new Map<string, ConformanceListener>();
  for (const [name, listener] of Object.entries(settings)) made.set(name, { ...listener, port: await freePort() });
  return made;
}

export function conformanceConfig(
  nextHopPort: number,
  listeners: ReadonlyMap<string, ConformanceListener>,
): Readonly<Record<string, unknown>> {
  const any = { nextHop: 'hop', validateRecipients: false };
  return {
    hostname: 'mx.postern.test',
    retry: { first: '1s', cap: '2s' },
    defaultNextHop: 'hop',
    nextHops: { hop: { hosts: [{ host: '127.0.0.1', port: nextHopPort, protocol: 'smtp', tls: 'none' }] } },
    limits: { messageSize: '1MiB', recipients: 5, errorsPerSession: 6 },
    checks: Object.fromEntries(['spf', 'dkim', 'dmarc'].map((check) => [check, { enabled: false }])),
    tenants: [
      {
        name: 'acme',
        domains: [
          { name: 'example.test', ...any },
          { name: 'xn--bcher-kva.test', ...any },
        ],
        users: [{ address: 'user@example.test', password: 'Correct-horse-7-battery', recoverablePassword: true }],
      },
      { name: 'gone', domains: [{ name: 'suspended.test', ...any }] },
    ],
    listeners: Object.fromEntries(
      [...listeners].map(([name, listener]) => [
        name,
        { role: listener.role, extensions: { binaryMime: true }, ...listener.settings },
      ]),
    ),
    edge: {
      moreListeners: [...listeners]
        .filter(([name]) => !isCommon(name))
        .map(([name, { role, port }]) => ({ name, role, address: `127.0.0.1:${port}` })),
    },
  };
}

/**
 * Settings of listeners and marks that are taken and do nothing, or nearly everything: said as notes by `npm start --check`, never refused, since what a pod
 * brings or an API adds may give them a sense. Pure.
 */
import type { Fault, FieldPath } from '@postern/config';
import { unknownWords } from './cipher-list.js';
import type { OperatorDocument } from './schema.js';

type Listener = OperatorDocument['listeners'][string];

const byToken = new Set<string>(['OAUTHBEARER', 'XOAUTH2']);
/** Below it a pod at rest may be beyond the mark. */
const leastMark = 20;

function mechanismNotes(at: FieldPath, listener: Listener, hasIssuers: boolean): Fault[] {
  if (hasIssuers) return [];
  return (['authMechanismsTls', 'authMechanismsPlain'] as const).flatMap((name) =>
    (listener[name] ?? []).flatMap((mechanism, index) =>
      byToken.has(mechanism)
        ? [{ path: [...at, name, index], message: `"${mechanism}" takes no token: oauthIssuers names nobody` }]
        : [],
    ),
  );
}

function plainNotes(at: FieldPath, role: string, { requireTls, authMechanismsPlain }: Listener): Fault[] {
  const found: Fault[] = [];
  if (role === 'submissions' && requireTls === false)
    found.push({
      path: [...at, 'requireTls'],
      message: 'false does nothing: role submissions begins with TLS; role submission is the one without',
    });
  if (authMechanismsPlain.length === 0) return found;
  const message =
    role === 'submissions'
      ? 'does nothing: role submissions begins with TLS, where authMechanismsTls holds'
      : 'is never offered: requireTls is on; expected requireTls: false, or none here';
  if (role === 'submissions' || (requireTls ?? role === 'submission'))
    found.push({ path: [...at, 'authMechanismsPlain'], message });
  return found;
}

function cipherNotes(at: FieldPath, { tls }: Listener): Fault[] {
  const unknown = unknownWords(tls.ciphers);
  if (unknown.length === 0) return [];
  const message = `${unknown.map((word) => JSON.stringify(word)).join(', ')} means nothing to OpenSSL here, which passes over it`;
  return [{ path: [...at, 'tls', 'ciphers'], message }];
}

/** `isWritten`: a person wrote it, it is no default. */
export function listenerNotes(
  { listeners, oauthIssuers, overload }: OperatorDocument,
  isWritten: (path: FieldPath) => boolean,
): Fault[] {
  const ofListeners = Object.entries(listeners).flatMap(([name, listener]): Fault[] => {
    const at = ['listeners', name];
    const smtpUtf8 = [...at, 'extensions', 'smtpUtf8'];
    const { extensions } = listener;
    const inVain = extensions.smtpUtf8 && !extensions.eightBitMime && isWritten(smtpUtf8);
    return [
      ...cipherNotes(at, listener),
      ...mechanismNotes(at, listener, oauthIssuers.length > 0),
      ...plainNotes(at, listener.role ?? name, listener),
      ...(inVain
        ? [{ path: smtpUtf8, message: 'is never offered: extensions.eightBitMime is off (RFC 6531 §3.1 needs it)' }]
        : []),
    ];
  });
  const marks = (['heap', 'memory'] as const).flatMap((name): Fault[] =>
    overload[name] >= leastMark
      ? []
      : [
          {
            path: ['overload', name],
            message: `${overload[name]} percent: a pod at rest may be beyond it, and everybody would hear 421; expected ${leastMark} or more`,
          },
        ],
  );
  return [...ofListeners, ...marks];
}

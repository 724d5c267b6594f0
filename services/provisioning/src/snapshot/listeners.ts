/** Listeners of the operator document as the snapshot carries them: the three of every cluster, and whatever others are named. Pure. */

import type { AccessRule, Limits, ListenerSettings, ListenerTls } from '@postern/proto/config/v1/snapshot';
import { defaultMechanisms } from '../credentials/mechanisms.js';
import type { OperatorDocument } from '../operator/schema.js';

type Listener = OperatorDocument['listeners'][string];

const defaults: Readonly<Record<string, { requireTls: boolean; requireAuth: boolean }>> = {
  mx: { requireTls: false, requireAuth: false },
  submission: { requireTls: true, requireAuth: true },
  submissions: { requireTls: true, requireAuth: true },
};

const keywords: readonly (readonly [keyof Listener['extensions'], string])[] = [
  ['starttls', 'STARTTLS'],
  ['pipelining', 'PIPELINING'],
  ['size', 'SIZE'],
  ['eightBitMime', '8BITMIME'],
  ['chunking', 'CHUNKING'],
  ['binaryMime', 'BINARYMIME'],
  ['smtpUtf8', 'SMTPUTF8'],
  ['dsn', 'DSN'],
  ['enhancedStatusCodes', 'ENHANCEDSTATUSCODES'],
  ['requireTls', 'REQUIRETLS'],
  ['limits', 'LIMITS'],
  ['auth', 'AUTH'],
];

/** Few next hops take binary mail, and what cannot be passed on fails after its 250. */
const offByDefault: readonly string[] = ['BINARYMIME'];

export function limitsOf({ interval, messageSize = 0, ipv6Prefix = 0, ...limits }: OperatorDocument['limits']): Limits {
  return { ...limits, messageSize, ipv6Prefix, intervalMs: interval };
}

const extensionsOff = (extensions: Listener['extensions']): string[] =>
  keywords.filter(([name]) => !extensions[name]).map(([, keyword]) => keyword);

function tlsOf({ tls }: Listener, files: ReadonlyMap<string, string>): ListenerTls {
  const { dhParameters, dhParametersFile, clientCaFile, ...rest } = tls;
  const pem = (file: string | undefined): string => (file === undefined ? '' : (files.get(file) ?? ''));
  return {
    ...rest,
    certificates: [...tls.certificates],
    dhParameters: pem(dhParametersFile) || (dhParameters === 'auto' ? 'auto' : ''),
    clientCa: pem(clientCaFile),
  };
}

/** `files`: content of the PEM files it names. */
export function listenersOf(document: OperatorDocument, files: ReadonlyMap<string, string>): ListenerSettings[] {
  const names = new Set([...Object.keys(defaults), ...Object.keys(document.listeners)]);
  return [...names].map((name) => {
    const settings = document.listeners[name];
    const role = settings?.role ?? name;
    return {
      name,
      role,
      banner: settings?.banner ?? '',
      proxyProtocol: settings?.proxyProtocol ?? false,
      limits: settings?.limits === undefined ? undefined : limitsOf(settings.limits),
      requireTls: settings?.requireTls ?? defaults[role]?.requireTls ?? false,
      requireAuth: settings?.requireAuth ?? defaults[role]?.requireAuth ?? false,
      authMechanismsTls: settings?.authMechanismsTls ?? (role === 'mx' ? [] : [...defaultMechanisms]),
      authMechanismsPlain: settings?.authMechanismsPlain ?? [],
      hostname: settings?.hostname ?? '',
      disabled: settings?.enabled === false,
      extensionsOff: settings === undefined ? [...offByDefault] : extensionsOff(settings.extensions),
      linePolicy: settings?.linePolicy ?? 'refuse',
      xclientNetworks: [...(settings?.xclient ?? [])],
      tls: settings === undefined ? undefined : tlsOf(settings, files),
    };
  });
}

/** Rules written with their listener, after those of the general list: on equal priority the general list wins. */
export const listenerAccess = (document: OperatorDocument): AccessRule[] =>
  Object.entries(document.listeners).flatMap(([target, { access }]) =>
    access.map(({ priority, network, action }) => ({
      level: 'listener',
      target,
      priority,
      network,
      allow: action === 'allow',
    })),
  );

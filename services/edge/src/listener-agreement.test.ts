import type { AgreedSettings } from '@postern/flow-control/session';
import { expect, test } from 'vitest';
import { disagreements } from './listener-agreement.js';

const said: AgreedSettings = { role: undefined, certificates: [], requireTls: undefined, proxyProtocol: false };
const submission = { name: 'submission', role: 'submission' } as const;
const mx = { name: 'mx', role: 'mx' } as const;
const noCertificate = [
  'requireTls is on, but the pod has no certificate; expected edge.tls or edge.certificates, or requireTls: false',
];

test.each<
  [string, { name: string; role: 'mx' | 'submission' | 'submissions' }, Partial<AgreedSettings>, string[], string[]]
>([
  ['nothing said', submission, {}, ['default'], []],
  ['the same role', submission, { role: 'submission' }, ['default'], []],
  [
    'another role',
    submission,
    { role: 'mx' },
    ['default'],
    ['role "mx" is not the role of the listener on the pod; expected "submission", its role in edge.listeners'],
  ],
  [
    'the role of its name',
    { ...mx, role: 'submission' },
    {},
    ['default'],
    ['role missing, so "mx" as its name; expected "submission", its role in edge.listeners'],
  ],
  ['a name of its own', { name: 'inner', role: 'submission' }, {}, ['default'], []],
  ['known certificates', mx, { certificates: ['default'] }, ['default'], []],
  [
    'an unknown one',
    mx,
    { certificates: ['default', 'nix'] },
    ['default', 'two'],
    ['tls.certificates.1 "nix" is not allowed; expected one of default, two'],
  ],
  [
    'one of none',
    mx,
    { certificates: ['nix'] },
    [],
    ['tls.certificates.0 "nix" is not allowed; the pod has none: give it edge.tls or edge.certificates'],
  ],
  ['submission without a certificate', submission, {}, [], noCertificate],
  ['mx that requires TLS without a certificate', mx, { requireTls: true }, [], noCertificate],
  ['submission without a certificate that needs none', submission, { requireTls: false }, [], []],
  ['submission behind a proxy that may end TLS', submission, { proxyProtocol: true }, [], []],
  ['mx without a certificate', mx, {}, [], []],
])('%s', (_, facts, settings, certificates, expected) => {
  const found = disagreements(facts, { ...said, ...settings }, certificates, 'edge.listeners');
  expect(found.map(({ field, message }) => `${field.join('.')} ${message}`)).toEqual(expected);
});

import type { ZoneData } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, ground, settings } from '../testing/ground.js';
import { registrable } from './uribl.js';

const zone: ZoneData = {
  'bad.co.uk.u.test': { A: ['127.0.0.2'] },
  'xn--bd-via.test.u.test': { A: ['127.0.0.2'] },
  '9.2.0.192.u.test': { A: ['127.0.0.2'] },
  'error.test.u.test': { A: ['127.255.255.254'] },
};
const base64 = Buffer.from('<a href="https://deep.www.bad.co.uk/x">here</a>\r\n').toString('base64');

test.each<[string, string, string]>([
  ['a link in the text', 'From: a@ok.test\n\nsee http://www.bad.co.uk/path\n', 'listed'],
  ['a link with credentials and a port', 'From: a@ok.test\n\nhttps://user:pw@x.bad.co.uk:8080/\n', 'listed'],
  ['From', 'From: a@mail.bad.co.uk\n\nbody\n', 'listed'],
  ['From that is no address', 'From: a@mail.bad.co.uk <\n\nbody\n', 'listed'],
  ['From in A-labels', 'From: a@bäd.test\n\nbody\n', 'listed'],
  ['Reply-To', 'From: a@ok.test\nReply-To: b@bad.co.uk\n\nbody\n', 'listed'],
  ['an address literal', 'From: a@ok.test\n\nhttp://192.0.2.9/\n', 'listed'],
  ['base64', `From: a@ok.test\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n${base64}\n`, 'listed'],
  [
    'a soft line break',
    'From: a@ok.test\nContent-Transfer-Encoding: quoted-printable\n\nhttp://www.bad.=\nco.uk/=3Fx\n',
    'listed',
  ],
  [
    'a part of a multipart',
    'From: a@ok.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nplain\n--b\nContent-Type: text/html\n\nwww.bad.co.uk\n--b--\n',
    'listed',
  ],
  ...(
    [
      '<a href="http://bad&#46;co.uk/">x</a>',
      '<a href="http&#x3a;//bad.co&#x2E;uk/">x</a>',
      '<a href="http&colon;&sol;&sol;bad&period;co.uk">x</a>',
      'http://bad%2eco%2Euk/',
      'http://b%61d.co.uk/',
      'http:\\\\bad.co.uk\\x',
      'https:/bad.co.uk',
      '<img src="//bad.co.uk/x.png">',
      '<a href=//u@bad.co.uk>',
      "<div style='background:url(//bad.co.uk/x)'>",
      'http://bad。co。uk/',
      'http://BAD.co.uk./',
    ] as const
  ).map((text): [string, string, string] => [text, `From: a@ok.test\nContent-Type: text/html\n\n${text}\n`, 'listed']),
  ['a comment in code', 'From: a@ok.test\n\n// bad.co.uk\n', 'clear'],
  ['an attachment is not read', 'From: a@ok.test\nContent-Disposition: attachment\n\nhttp://bad.co.uk\n', 'clear'],
  ['another domain below the same public suffix', 'From: a@ok.test\n\nhttp://good.co.uk/\n', 'clear'],
  ['an error code of the list', 'From: a@error.test\n\nbody\n', 'unusable'],
])('%s is found', async (_what, message, outcome) => {
  const here = ground({
    zone,
    snapshot: settings({ uribl: { onFail: 'reject', zones: ['u.test'], selfTest: false } }),
  });
  const verdict = await askContent(here, message, {});
  expect(verdict.findings.find(({ check }) => check === 'uribl')).toMatchObject({ outcome });
  expect(verdict.decision?.action).toBe(outcome === 'listed' ? Action.REJECT : Action.ACCEPT);
});

test('how many domains are asked about is bounded, each once', async () => {
  const links = Array.from({ length: 400 }, (_, at) => `http://h.d${at % 300}.test/`).join('\n');
  const here = ground({ zone, snapshot: settings({ uribl: { zones: ['u.test'], selfTest: false, maxDomains: 7 } }) });
  const verdict = await askContent(here, `From: a@ok.test\n\n${links}\n`, {});
  expect(verdict.findings.find(({ check }) => check === 'uribl')?.evidence.asked).toBe('7');
});

test('registrable domains', () => {
  expect(
    registrable(['a.b.example.com', 'x.example.com', 'co.uk', 'me.github.io', 'exempt.test'], ['exempt.test'], 9),
  ).toEqual(['example.com', 'me.github.io']);
});

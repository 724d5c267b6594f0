import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProxyHeader } from './proxy-header.js';

const signature = '0d0a0d0a000d0a515549540a';

function v2(command: string, family: string, body: string): Buffer {
  const length = (body.length / 2).toString(16).padStart(4, '0');
  return Buffer.from(signature + command + family + length + body, 'hex');
}

const tcp4 = 'c0000201c633640104d20019';
const tcp6 = `20010db8000000000000000000000001${'20010db8000000000000000000000002'}04d20019`;

describe('PROXY header', () => {
  it.each([
    ['TCP4', 'PROXY TCP4 192.0.2.1 198.51.100.1 1234 25\r\nEHLO', { length: 43, address: '192.0.2.1', port: 1234 }],
    ['TCP6', 'PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n', { length: 44, address: '2001:db8::1', port: 1 }],
    ['UNKNOWN', 'PROXY UNKNOWN\r\n', { length: 15 }],
    ['UNKNOWN with more', 'PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n', { length: 35 }],
  ])('version 1 %s', (_name, text, { length, address, port }: { length: number; address?: string; port?: number }) => {
    const header = parseProxyHeader(Buffer.from(text));
    expect(header).toMatchObject({ kind: 'present', length });
    if (address !== undefined) expect(header).toMatchObject({ source: { address, port } });
    else expect(header).not.toHaveProperty('source');
  });

  it.each([
    ['no CRLF', 'PROXY TCP4 192.0.2.1 198.51.100.1 1234 25\n'],
    ['name for an address', 'PROXY TCP4 mx.test 198.51.100.1 1234 25\r\n'],
    ['wrong family', 'PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n'],
    ['port out of range', 'PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n'],
    ['port with a sign', 'PROXY TCP4 192.0.2.1 198.51.100.1 +1 25\r\n'],
    ['too much', 'PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n'],
    ['unknown family', 'PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n'],
    ['endless', `PROXY TCP4 ${'1'.repeat(200)}`],
  ])('version 1 refuses: %s', (_name, text) => {
    expect(parseProxyHeader(Buffer.from(text)).kind).toBe('invalid');
  });

  it('version 2 with addresses, authority and trailing bytes', () => {
    const authority = `02000a${Buffer.from('mail.a.org').toString('hex')}`;
    const bytes = Buffer.concat([v2('21', '11', tcp4 + authority), Buffer.from('EHLO')]);
    expect(parseProxyHeader(bytes)).toEqual({
      kind: 'present',
      length: 16 + 12 + 13,
      source: { address: '192.0.2.1', port: 1234 },
      destination: { address: '198.51.100.1', port: 25 },
      authority: 'mail.a.org',
    });
  });

  const tlv = (type: string, body: string): string => type + (body.length / 2).toString(16).padStart(4, '0') + body;
  const text = (value: string): string => Buffer.from(value).toString('hex');
  const spoken = tlv('21', text('TLSv1.3')) + tlv('23', text('TLS_AES_128_GCM_SHA256')) + tlv('22', text('relay.test'));
  it.each([
    ['TLS', `0100000001${spoken}`, { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', clientVerified: false }],
    [
      'TLS and a valid certificate',
      `0300000000${spoken}`,
      { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', clientName: 'relay.test', clientVerified: true },
    ],
    [
      'TLS and a bad certificate',
      `0300000012${spoken}`,
      { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', clientName: 'relay.test', clientVerified: false },
    ],
    ['no TLS', '0000000000', undefined],
  ])('version 2 with %s between client and proxy', (_name, body, tls) => {
    const header = parseProxyHeader(v2('21', '11', tcp4 + tlv('20', body)));
    expect(header).toMatchObject({ kind: 'present' });
    if (header.kind === 'present') expect(header.tls).toEqual(tls);
  });

  it.each([
    ['TCP6', v2('21', '21', tcp6), '2001:db8::1'],
    ['LOCAL', v2('20', '00', ''), undefined],
    ['LOCAL with addresses', v2('20', '11', tcp4), undefined],
    ['UNIX', v2('21', '31', '00'.repeat(216)), undefined],
    ['UNSPEC', v2('21', '00', ''), undefined],
  ])('version 2 %s', (_name, bytes, address) => {
    const header = parseProxyHeader(bytes);
    expect(header.kind).toBe('present');
    if (header.kind === 'present') expect(header.source?.address).toBe(address);
  });

  it.each([
    ['version 1 in the binary form', v2('11', '11', tcp4)],
    ['unknown command', v2('22', '11', tcp4)],
    ['short address block', v2('21', '11', 'c0000201')],
    ['TLV that runs out', v2('21', '11', `${tcp4}02ffff00`)],
    ['SSL TLV too short', v2('21', '11', tcp4 + tlv('20', '01'))],
    ['SSL TLV with a part that runs out', v2('21', '11', tcp4 + tlv('20', '010000000021ffff00'))],
    ['too long', Buffer.from(`${signature}2111ffff`, 'hex')],
  ])('version 2 refuses: %s', (_name, bytes) => {
    expect(parseProxyHeader(bytes).kind).toBe('invalid');
  });

  it('says incomplete for every true beginning, and never throws', () => {
    const whole = [Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 1234 25\r\n'), v2('21', '11', tcp4)];
    for (const bytes of whole)
      for (let cut = 0; cut < bytes.length; cut++)
        expect(parseProxyHeader(bytes.subarray(0, cut)).kind).toBe('incomplete');
    expect(parseProxyHeader(Buffer.from('EHLO')).kind).toBe('absent');
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseProxyHeader(Buffer.from(bytes))));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (bytes) => void parseProxyHeader(Buffer.concat([Buffer.from(signature, 'hex'), Buffer.from(bytes)])),
      ),
    );
  });
});

import { buffer } from 'node:stream/consumers';
import { decodeTransferEncoding, readMimeStructure } from '@postern/mail-message';
import { describe, expect, test } from 'vitest';
import { buildReport } from './build.js';
import { eventOf, neverBounce, shouldNotify } from './notify.js';
import { parseReport } from './parse.js';
import type { Report, ReportedRecipient, ReportFacts } from './report.js';

const header = Buffer.from('From: a@b.test\r\nSubject: x\r\n\r\n');
const whole = Buffer.concat([header, Buffer.from('body\r\n')]);

const failed: ReportedRecipient = {
  action: 'failed',
  finalRecipient: 'user@example.test',
  originalRecipient: { addressType: 'rfc822', address: 'alias+x@b.test', raw: 'rfc822;alias+2Bx@b.test' },
  status: '5.1.1',
  reply: { code: 550, enhanced: '5.1.1', lines: ['no such user', 'see https://x.test'] },
  remoteMta: 'mx.example.test',
  lastAttemptAt: 0,
  retryUntil: null,
};

function facts(change: Partial<ReportFacts> = {}): ReportFacts {
  return {
    id: '01JREPORT',
    reportingMta: 'mx.test',
    to: 'from@a.test',
    queueId: '01JQ',
    envelopeId: 'env+1',
    ret: 'FULL',
    arrivedAt: 0,
    now: 1000,
    recipients: [failed],
    original: { header, content: () => [whole], size: whole.length, eightBit: false, smtputf8: false },
    ...change,
  };
}

async function text(report: Report): Promise<string> {
  return (await buffer(report.content())).toString('utf8');
}

/** Content of the numbered part, decoded. */
async function part(report: Report, index: number): Promise<string> {
  const message = await buffer(report.content());
  const found = readMimeStructure(message).parts[index];
  if (found === undefined) throw new Error('no such part');
  return decodeTransferEncoding(message.subarray(found.bodyStart, found.bodyEnd), found.transferEncoding).toString(
    'utf8',
  );
}

describe('a failure report', () => {
  test('says the same to a machine as went in', async () => {
    const report = buildReport(facts());
    expect(report).toMatchObject({
      reversePath: '',
      forwardPath: 'from@a.test',
      returned: 'full',
      body: '7BIT',
      smtputf8: false,
    });
    expect(parseReport(await buffer(report.content()))).toEqual({
      reportingMta: 'mx.test',
      envelopeId: 'env+1',
      returned: 'full',
      recipients: [
        {
          finalRecipient: 'user@example.test',
          originalRecipient: 'alias+x@b.test',
          action: 'failed',
          status: '5.1.1',
          diagnostic: 'smtp; 550 5.1.1 no such user see https://x.test',
          remoteMta: 'mx.example.test',
        },
      ],
    });
  });
  test('headers of an automatic message, and no bare line ends', async () => {
    const wire = await text(buildReport(facts()));
    expect(wire).toMatch(/^Auto-Submitted: auto-replied\r$/m);
    expect(wire).toMatch(/^Subject: Undelivered mail returned to sender\r$/m);
    expect(wire).toMatch(/^Message-ID: <01JREPORT@mx\.test>\r$/m);
    expect(wire).not.toMatch(/\r(?!\n)|(?<!\r)\n/);
    expect(wire).toContain('mx.example.test said: 550 5.1.1 no such user see https://x.test');
  });
  test('can be read twice: a retry sends the same octets', async () => {
    const report = buildReport(facts());
    expect(await text(report)).toBe(await text(report));
  });
});

describe('what comes back', () => {
  const original = facts().original;
  const cases: readonly [name: string, Partial<ReportFacts>, 'full' | 'headers', '7BIT' | '8BITMIME'][] = [
    ['RET=HDRS', { ret: 'HDRS' }, 'headers', '7BIT'],
    ['no RET', { ret: null }, 'full', '7BIT'],
    ['too large', { original: { ...original, size: 1_000_000 } }, 'headers', '7BIT'],
    ['a limit of its own', { maxReturnedBytes: 5 }, 'headers', '7BIT'],
    ['no body at hand', { original: { ...original, content: null } }, 'headers', '7BIT'],
    ['delay only', { recipients: [{ ...failed, action: 'delayed' }] }, 'headers', '7BIT'],
    ['success only', { recipients: [{ ...failed, action: 'delivered' }] }, 'headers', '7BIT'],
    ['8 bit', { original: { ...original, eightBit: true } }, 'full', '8BITMIME'],
    ['SMTPUTF8', { original: { ...original, eightBit: true, smtputf8: true } }, 'full', '7BIT'],
  ];
  test.each(cases)('%s', async (_name, change, returned, body) => {
    const report = buildReport(facts(change));
    expect(report).toMatchObject({ returned, body });
    const wire = await buffer(report.content());
    expect(parseReport(wire)?.returned).toBe(returned);
    const encoded = Buffer.from('From: a@b').toString('base64');
    expect(wire.includes('From: a@b') || wire.includes(encoded)).toBe(true);
  });
  test('8-bit and broken headers come back in 7 bits', async () => {
    const odd = Buffer.concat([
      Buffer.from('Subject: '),
      Buffer.from([0xff, 0xc3, 0xbc]),
      Buffer.from('\nX: y\r\n\r\n'),
    ]);
    const report = buildReport(facts({ ret: 'HDRS', original: { ...original, header: odd, eightBit: true } }));
    const wire = await text(report);
    expect(wire).toMatch(/^[\r\n\t -~]*$/);
    expect(wire).not.toMatch(/\r(?!\n)|(?<!\r)\n/);
    expect(wire).toContain('Subject: =FF=C3=BC\r\nX: y');
  });
  test('a whole SMTPUTF8 message survives its encoding', async () => {
    const big = Buffer.from('ü'.repeat(100_000));
    const chunks = (): Buffer[] => [big.subarray(0, 33), big.subarray(33, 70_001), big.subarray(70_001)];
    const report = buildReport(facts({ original: { ...original, content: chunks, size: 1, smtputf8: true } }));
    expect(await part(report, 3)).toBe(big.toString('utf8'));
  });
});

describe('words and addresses', () => {
  test('a hostile next hop cannot add fields, parts or control characters', async () => {
    const reply = {
      code: 550,
      enhanced: null,
      lines: ['x\r\nFinal-Recipient: rfc822;evil@x.test', '\r\n--=_report_01JREPORT\r\n'],
    };
    const report = buildReport(facts({ recipients: [{ ...failed, reply, remoteMta: 'mx\r\nAction: delivered' }] }));
    const message = await buffer(report.content());
    expect(parseReport(message)?.recipients).toMatchObject([{ finalRecipient: 'user@example.test', action: 'failed' }]);
    expect(readMimeStructure(message).parts.map(({ contentType }) => contentType)).toEqual([
      'multipart/report',
      'text/plain',
      'message/delivery-status',
      'message/rfc822',
      'text/plain',
    ]);
  });
  test('UTF-8 addresses: the status part stays ASCII, a local part asks for SMTPUTF8, a domain does not', async () => {
    const recipients = [{ ...failed, finalRecipient: 'büro@bücher.test', originalRecipient: null }];
    const report = buildReport(facts({ recipients, to: 'from@bücher.test' }));
    expect(report).toMatchObject({ forwardPath: 'from@xn--bcher-kva.test', smtputf8: false });
    expect(await text(report)).toMatch(/^[\r\n\t -~]*$/);
    expect(parseReport(await buffer(report.content()))?.recipients[0]?.finalRecipient).toBe('büro@bücher.test');
    expect(buildReport(facts({ to: 'büro@b.test' })).smtputf8).toBe(true);
  });
  test("the operator's words", async () => {
    const report = buildReport(
      facts({ text: { subject: 'Unzustellbar: für Sie', opening: 'Grüße', closing: 'a\r\nb' } }),
    );
    expect(await text(report)).toMatch(/^Subject: =\?utf-8\?B\?/m);
    expect(await part(report, 1)).toContain('Grüße');
    expect(await part(report, 1)).toContain('a b');
  });
  test('a delay says until when', async () => {
    const recipients = [
      { ...failed, action: 'delayed', status: '4.4.1', reply: null, retryUntil: 86_400_000 } as const,
    ];
    const wire = await text(buildReport(facts({ recipients })));
    expect(wire).toContain('Will-Retry-Until: Fri, 2 Jan 1970 00:00:00 +0000');
    expect(wire).toContain('Action: delayed');
  });
});

describe('whether to report', () => {
  test('never on a report', () => {
    expect(neverBounce('')).toBe(true);
    expect(neverBounce('a@b.test')).toBe(false);
    expect(() => buildReport(facts({ to: '' }))).toThrow(TypeError);
  });
  test('NOTIFY', () => {
    expect((['FAILURE', 'DELAY', 'SUCCESS'] as const).map((event) => shouldNotify(null, event))).toEqual([
      true,
      true,
      false,
    ]);
    expect(shouldNotify(null, 'DELAY', false)).toBe(false);
    expect(shouldNotify([], 'FAILURE')).toBe(false);
    expect(shouldNotify(['SUCCESS'], 'FAILURE')).toBe(false);
    expect(shouldNotify(['SUCCESS'], 'SUCCESS')).toBe(true);
    expect((['failed', 'delayed', 'relayed'] as const).map(eventOf)).toEqual(['FAILURE', 'DELAY', 'SUCCESS']);
  });
  test('what is no report is none', () => {
    expect(parseReport(whole)).toBeNull();
    expect(parseReport(Buffer.alloc(0))).toBeNull();
  });
});

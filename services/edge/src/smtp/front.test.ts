/** The front over real sockets where a dialog file cannot say it: policy over several commands, segmentation, memory. */
import { FakeClock } from '@postern/clock';
import { Action, Decision } from '@postern/proto/policy/v1/policy_service';
import { RawClient } from '@postern/testkit/smtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptAll, Doubles } from '../testing/doubles.js';
import { greeted, transaction, withFront } from '../testing/front.js';

const { start, open } = withFront();

describe('policy', () => {
  it('is asked once for a pipelined group, with every stage and all facts', async () => {
    const doubles = new Doubles();
    const { port } = await start(doubles);
    const client = await greeted(port, ['EHLO c.test']);
    client.send('MAIL FROM:<a@sender.test>\r\nRCPT TO:<a@example.test>\r\nRCPT TO:<b@example.test>\r\n');
    for (let index = 0; index < 3; index++) expect(await client.reply()).toMatch(/^250/);
    expect(doubles.asked).toHaveLength(1);
    expect(doubles.asked[0]).toMatchObject({ stages: [1, 2, 4, 5], sequence: 1 });
    expect(doubles.asked[0]?.facts?.recipients.map(({ address }) => address)).toEqual([
      'a@example.test',
      'b@example.test',
    ]);
    await client.command('RSET');
    await client.command('MAIL FROM:<a@sender.test>');
    await client.command('RCPT TO:<c@example.test>');
    expect(doubles.asked[1]).toMatchObject({ stages: [4, 5], sequence: 2 });
    client.destroy();
    await expect.poll(() => doubles.ended.length).toBe(1);
  });
});

describe('a refused recipient', () => {
  it.each([
    ['<carol@office.test> NOTIFY=FOO', 'carol@office.test'],
    ['<@relay.test:carol@office.test> X=1', 'carol@office.test'],
    ['<carol@office..test>', 'carol@office..test'],
    ['carol@office.test', 'carol@office.test'],
    ['<carol@elsewhere.test>', 'carol@elsewhere.test'],
  ])('RCPT TO:%s is told by its address', async (path, recipient) => {
    const doubles = new Doubles();
    const { port } = await start(doubles);
    const client = await greeted(port, transaction.slice(0, 2));
    expect(await client.command(`RCPT TO:${path}`)).toMatch(/^5/);
    const told = doubles.events.filter(({ event }) => event === 'edge.recipient.rejected');
    expect(told.map(({ facts }) => facts?.recipient)).toEqual([recipient]);
    client.destroy();
  });
});

describe('refused recipients of a pipelined group', () => {
  const group = (count: number) =>
    Array.from({ length: count }, (_, index) => `RCPT TO:<u${index}@example.test>\r\n`).join('');

  /** Knows no recipient, answers errors from the third on late; `sleep` is what waiting does. */
  async function hostile(sleep: (ms: number) => Promise<void>) {
    const doubles = new Doubles();
    const failed: string[] = [];
    doubles.evaluate = (request) => {
      const answer = acceptAll(request);
      if (answer.kind !== 'verdict') return answer;
      const decision = Decision.fromPartial({ action: Action.REJECT });
      const recipients = answer.verdict.recipients.map((recipient) => ({ ...recipient, decision }));
      return { kind: 'verdict', verdict: { ...answer.verdict, recipients } };
    };
    doubles.setSnapshot({ limits: { recipients: 1_000, errorsPerSession: 6 } });
    doubles.clock = Object.assign(new FakeClock(), { sleep });
    doubles.abuse = {
      ...doubles.abuse,
      tarpitMs: ({ errors }) => (errors < 2 ? 0 : errors * 10),
      failed: (_session, kind) => void failed.push(kind),
    };
    const { port } = await start(doubles);
    return { client: await greeted(port, transaction.slice(0, 2)), failed };
  }

  it('are answered up to the limit of errors, each later than the one before, and all counted for the address', async () => {
    const slept: number[] = [];
    const { client, failed } = await hostile(async (ms) => void slept.push(ms));
    client.send(group(100));
    for (let index = 0; index < 6; index++) expect(await client.reply()).toMatch(/^550 5\.1\.1 /);
    expect(await client.reply()).toMatch(/^421 4\.7\.0 too many errors/);
    await client.closed();
    expect(client.rest).toBe('');
    expect(slept).toEqual([20, 30, 40, 50]);
    expect(failed).toEqual(Array(100).fill('unknown_recipient'));
  });

  it('are all counted of a client that does not wait for the answers', async () => {
    const { client, failed } = await hostile(async () => {
      client.destroy();
      await expect.poll(() => open.at(-1)?.sessions).toBe(0);
    });
    client.send(group(5));
    await expect.poll(() => failed).toEqual(Array(5).fill('unknown_recipient'));
  });
});

describe('segmentation', () => {
  it('gives the same replies for the same bytes, however they are cut', async () => {
    const doubles = new Doubles();
    const { port } = await start(doubles);
    const wire = Buffer.from(
      'EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<bob@example.test>\r\nNOOP\r\nDATA\r\n..x\r\nhello\r\n.\r\nRSET\r\nBOGUS\r\nQUIT\r\n',
    );
    const run = async (cuts: readonly number[]): Promise<string> => {
      const client = await RawClient.open(port);
      await client.reply();
      let at = 0;
      for (const cut of [...[...cuts].sort((a, b) => a - b), wire.length]) {
        if (cut <= at) continue;
        client.send(wire.subarray(at, cut));
        at = cut;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await client.closed();
      return client.rest.replace(/[0-9A-Z]{26}/g, 'ID');
    };
    const whole = await run([]);
    expect(whole).toContain('250 2.6.0 queued as ID');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(wire.length), { maxLength: 12 }), async (cuts) => {
        expect(await run(cuts)).toBe(whole);
        expect(doubles.stored.at(-1)?.body.toString()).toBe('.x\r\nhello\r\n');
      }),
      { numRuns: 60 },
    );
  });
});

describe('size', () => {
  it('refuses a message that grows beyond the limit, and keeps the session', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot({ limits: { messageSize: 10_000 } });
    const { port } = await start(doubles);
    const client = await greeted(port);
    await client.command('DATA');
    client.send(`${'x'.repeat(78)}\r\n`.repeat(1_000));
    client.send('.\r\n');
    expect(await client.reply()).toMatch(/^552 5\.3\.4/);
    expect(await client.command('NOOP')).toMatch(/^250/);
    expect(doubles.stored).toHaveLength(0);
    expect(doubles.aborted).toBe(1);
    client.destroy();
  });

  it('closes on a client that does not stop', async () => {
    const doubles = new Doubles();
    doubles.setSnapshot({ limits: { messageSize: 10_000 } });
    const { port } = await start(doubles);
    const client = await greeted(port);
    await client.command('DATA');
    const megabyte = `${'x'.repeat(1_022)}\r\n`.repeat(1_024);
    for (let sent = 0; sent < 20; sent++) client.send(megabyte);
    expect(await client.reply()).toMatch(/^552 5\.3\.4/);
    await client.closed();
  });
});

import { systemClock } from '@postern/clock';
import { afterEach, describe, expect, test } from 'vitest';
import { connectSmtp } from './connect.js';
import type { SmtpConnection } from './connection.js';
import type { ConnectOptions } from './options.js';
import type { OutboundMessage } from './outcome.js';
import { type Script, type ScriptedServer, startScripted } from './testing/scripted-server.js';

const started: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.close()));
});

const ALL = ['PIPELINING', 'SIZE 100000', '8BITMIME', 'DSN', 'SMTPUTF8'];
const GROUPED: Script = { extensions: ALL };

async function open(
  script: Script,
  change: Partial<ConnectOptions> = {},
): Promise<{ readonly server: ScriptedServer; readonly connection: SmtpConnection }> {
  const server = await startScripted(script);
  started.push(server);
  const result = await connectSmtp({
    address: '127.0.0.1',
    port: server.port,
    localName: 'client.test',
    protocol: script.lmtp === true ? 'lmtp' : 'smtp',
    clock: systemClock,
    tls: { mode: 'none' },
    ...change,
  });
  if (!result.ok) throw new Error(result.failure.detail);
  return { server, connection: result.connection };
}

function message(change: Partial<OutboundMessage> = {}): OutboundMessage {
  return {
    reversePath: 'from@a.test',
    recipients: [{ forwardPath: 'one@b.test' }, { forwardPath: 'two@b.test' }],
    body: '7BIT',
    smtputf8: false,
    size: null,
    content: () => [Buffer.from('Subject: x\r\n\r\nbody\r\n')],
    ...change,
  };
}

function kinds(result: { readonly outcomes: readonly { readonly kind: string }[] }): string[] {
  return result.outcomes.map(({ kind }) => kind);
}

describe.each([
  ['grouped', ALL],
  ['one by one', []],
])('a transaction, %s', (_name, extensions) => {
  test('both recipients', async () => {
    const { server, connection } = await open({ extensions });
    expect(kinds(await connection.send(message()))).toEqual(['accepted', 'accepted']);
    expect(server.messages).toEqual(['Subject: x\r\n\r\nbody\r\n']);
  });
  test('one refused, one deferred, one taken', async () => {
    const { connection } = await open({
      extensions,
      on: (line) =>
        line.startsWith('RCPT TO:<no')
          ? '550 5.1.1 who'
          : line.startsWith('RCPT TO:<later')
            ? '450 4.2.1 busy'
            : undefined,
    });
    const recipients = ['no@b.test', 'later@b.test', 'yes@b.test'].map((forwardPath) => ({ forwardPath }));
    const result = await connection.send(message({ recipients }));
    expect(result.outcomes).toMatchObject([
      { kind: 'permanent', stage: 'rcpt', reply: { code: 550, enhanced: '5.1.1' } },
      { kind: 'temporary', stage: 'rcpt', reply: { code: 450 } },
      { kind: 'accepted', reply: { code: 250 } },
    ]);
  });
  test('all refused, then the next message on the same connection after RSET', async () => {
    let refuse = true;
    const { server, connection } = await open({
      extensions,
      on: (line) => (refuse && line.startsWith('RCPT') ? '550 5.1.1 who' : undefined),
    });
    expect(kinds(await connection.send(message()))).toEqual(['permanent', 'permanent']);
    refuse = false;
    expect(connection.usable).toBe(true);
    expect(kinds(await connection.send(message()))).toEqual(['accepted', 'accepted']);
    expect(server.commands).toContain('RSET');
    expect(server.connections).toBe(1);
  });
  test('MAIL refused', async () => {
    const { connection } = await open({
      extensions,
      on: (line) =>
        line.startsWith('MAIL') ? '550 5.7.1 not you' : /^(RCPT|DATA)/.test(line) ? '503 5.5.1 need MAIL' : undefined,
    });
    expect((await connection.send(message())).outcomes[1]).toMatchObject({
      kind: 'permanent',
      stage: 'mail',
      reply: { code: 550 },
    });
    expect(connection.usable).toBe(true);
  });
  test('DATA refused', async () => {
    const { connection } = await open({ extensions, on: (line) => (line === 'DATA' ? '451 4.3.0 disk' : undefined) });
    expect((await connection.send(message())).outcomes[0]).toMatchObject({ kind: 'temporary', stage: 'data' });
  });
  test('refused after the dot', async () => {
    const { connection } = await open({ extensions, onDot: () => '554 5.6.0 no' });
    expect((await connection.send(message())).outcomes).toMatchObject([
      { kind: 'permanent', stage: 'final' },
      { kind: 'permanent', stage: 'final' },
    ]);
    expect(connection.usable).toBe(true);
  });
  test('hung up before the data: failed, not unknown', async () => {
    const { connection } = await open({ extensions, on: (line) => (line === 'DATA' ? 'hangup' : undefined) });
    const result = await connection.send(message());
    expect(result.outcomes[0]).toMatchObject({ kind: 'failed', failure: { stage: 'data', temporary: true } });
    expect(connection.usable).toBe(false);
  });
  test('hung up after the dot: unknown', async () => {
    const { server, connection } = await open({ extensions, onDot: () => 'hangup' });
    const result = await connection.send(message());
    expect(result.outcomes[0]).toMatchObject({ kind: 'unknownAfterDot', failure: { stage: 'final' } });
    expect(server.messages).toHaveLength(1);
  });
  test('no answer after the dot: unknown', async () => {
    const { connection } = await open({ extensions, onDot: () => '' }, { timeouts: { dataTermination: 20 } });
    expect((await connection.send(message())).outcomes[1]).toMatchObject({
      kind: 'unknownAfterDot',
      failure: { reason: 'timeout' },
    });
  });
  test('421 after the dot closes, and the mail is deferred', async () => {
    const { connection } = await open({ extensions, onDot: () => '421 4.3.2 down' });
    expect(kinds(await connection.send(message()))).toEqual(['temporary', 'temporary']);
    expect(connection.usable).toBe(false);
  });
  test('421 at RCPT', async () => {
    const { connection } = await open({
      extensions,
      on: (line) => (line.startsWith('RCPT TO:<one') ? '421 4.7.0 enough' : undefined),
    });
    const { outcomes } = await connection.send(message());
    expect(outcomes[0]).toMatchObject({ kind: 'temporary', stage: 'rcpt' });
  });
});

describe('the group', () => {
  test('MAIL, RCPTs and DATA arrive in one piece', async () => {
    const { server, connection } = await open(GROUPED);
    await connection.send(message());
    expect(server.arrivals).toContain(
      'MAIL FROM:<from@a.test>\r\nRCPT TO:<one@b.test>\r\nRCPT TO:<two@b.test>\r\nDATA\r\n',
    );
  });
  test('a server that wants data for nobody gets an empty message and the connection lives', async () => {
    const { server, connection } = await open({
      ...GROUPED,
      on: (line) => (line.startsWith('RCPT') ? '550 5.1.1 who' : line === 'DATA' ? '354 go' : undefined),
      onDot: () => '554 5.5.1 no recipients',
    });
    expect(kinds(await connection.send(message()))).toEqual(['permanent', 'permanent']);
    expect(server.messages).toEqual(['']);
    expect(connection.usable).toBe(true);
  });
});

describe('parameters', () => {
  test('DSN for each recipient apart', async () => {
    const { server, connection } = await open(GROUPED);
    await connection.send(
      message({
        reversePath: '',
        recipients: [
          { forwardPath: 'a@b.test', notify: ['SUCCESS', 'FAILURE'], originalRecipient: 'rfc822;x+2By@c.test' },
          { forwardPath: 'b@b.test', notify: [] },
          { forwardPath: 'c@b.test' },
        ],
        body: '8BITMIME',
        size: 42,
        ret: 'HDRS',
        envelopeId: 'a+b',
      }),
    );
    expect(server.commands.slice(1, 5)).toEqual([
      'MAIL FROM:<> SIZE=42 BODY=8BITMIME RET=HDRS ENVID=a+2Bb',
      'RCPT TO:<a@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2By@c.test',
      'RCPT TO:<b@b.test> NOTIFY=NEVER',
      'RCPT TO:<c@b.test>',
    ]);
  });
  test('nothing that was not offered', async () => {
    const { server, connection } = await open({});
    const recipients = [
      { forwardPath: 'a@bücher.test', notify: ['FAILURE'], originalRecipient: 'rfc822;a@b' },
    ] as const;
    await connection.send(message({ recipients, size: 42, ret: 'FULL', envelopeId: 'x' }));
    expect(server.commands.slice(1, 3)).toEqual(['MAIL FROM:<from@a.test>', 'RCPT TO:<a@xn--bcher-kva.test>']);
  });
  const missing: readonly [Partial<OutboundMessage>, string][] = [
    [{ smtputf8: true }, 'SMTPUTF8'],
    [{ reversePath: 'ü@a.test' }, 'SMTPUTF8'],
    [{ body: '8BITMIME' }, '8BITMIME'],
    [{ body: 'BINARYMIME' }, 'BINARYMIME'],
    [{ requireTls: true }, 'REQUIRETLS'],
    [{ size: 100 }, 'SIZE'],
  ];
  test.each(missing)('%j is not supported', async (change, feature) => {
    const { server, connection } = await open({ extensions: ['SIZE 99'] });
    expect((await connection.send(message(change))).outcomes[1]).toEqual({ kind: 'notSupported', feature });
    expect(server.commands).toHaveLength(1);
    expect(connection.usable).toBe(true);
  });
  const chunking = ['PIPELINING', 'CHUNKING', 'BINARYMIME'];
  test('a binary message goes in counted chunks, as it is', async () => {
    const { server, connection } = await open({ extensions: chunking });
    const body = Buffer.concat([Buffer.from('X: y\r\n\r\n\n.\r\n\0'), Buffer.alloc(100_000, 0x0d)]);
    const sent = message({ body: 'BINARYMIME', content: () => [body.subarray(0, 70_000), body.subarray(70_000)] });
    expect(kinds(await connection.send(sent))).toEqual(['accepted', 'accepted']);
    expect(server.commands[1]).toBe('MAIL FROM:<from@a.test> BODY=BINARYMIME');
    expect(server.commands.filter((line) => line.startsWith('BDAT'))).toEqual([
      'BDAT 70000',
      `BDAT ${body.length - 70_000} LAST`,
    ]);
    expect(server.messages).toEqual([body.toString('latin1')]);
    expect(kinds(await connection.send(message()))).toEqual(['accepted', 'accepted']);
  });
  test.each([
    ['552 5.3.4 too big', 'permanent'],
    ['451 4.3.0 later', 'temporary'],
    ['hangup', 'unknownAfterDot'],
  ])('a binary message whose last chunk is answered %s', async (answer, kind) => {
    const on = (line: string): string | undefined => (line.startsWith('BDAT') ? answer : undefined);
    const { connection } = await open({ extensions: chunking, on });
    expect(kinds(await connection.send(message({ body: 'BINARYMIME' })))).toEqual([kind, kind]);
  });
  test('a binary message is fenced before its last chunk', async () => {
    const { server, connection } = await open({ extensions: chunking });
    const sent = message({ body: 'BINARYMIME', beforeFinalDot: () => false });
    expect(kinds(await connection.send(sent))).toEqual(['fenced', 'fenced']);
    expect(server.messages).toEqual([]);
  });
  test('line breaks in an address never reach the wire', async () => {
    const { connection } = await open({});
    await expect(connection.send(message({ reversePath: 'a\r\nRSET@b' }))).rejects.toThrow(TypeError);
  });
});

describe('content', () => {
  test('dots are stuffed and a missing last line end is added', async () => {
    const { server, connection } = await open(GROUPED);
    await connection.send(message({ content: () => [Buffer.from('a\r'), Buffer.from('\n.'), Buffer.from('\r\nb')] }));
    expect(server.messages).toEqual(['a\r\n..\r\nb\r\n']);
  });
  test('a bare newline stops the message before its end', async () => {
    const { server, connection } = await open(GROUPED);
    const content = (): Buffer[] => [
      Buffer.alloc(100_000, 'a'),
      Buffer.from('\r\nx\n.\r\nMAIL FROM:<evil@a.test>\r\n'),
    ];
    expect(kinds(await connection.send(message({ content })))).toEqual(['bareNewline', 'bareNewline']);
    expect(connection.usable).toBe(false);
    expect(server.messages).toEqual([]);
  });
  test('the fence keeps the final dot back', async () => {
    const { server, connection } = await open(GROUPED);
    expect(kinds(await connection.send(message({ beforeFinalDot: async () => false })))).toEqual(['fenced', 'fenced']);
    const again = await open(GROUPED);
    const throwing = message({
      beforeFinalDot: () => {
        throw new Error('lost');
      },
    });
    expect(kinds(await again.connection.send(throwing))).toEqual(['fenced', 'fenced']);
    const allowed = await open(GROUPED);
    expect(kinds(await allowed.connection.send(message({ beforeFinalDot: () => true })))).toEqual([
      'accepted',
      'accepted',
    ]);
    expect([...server.messages, ...again.server.messages]).toEqual([]);
  });
  test('a source that breaks', async () => {
    const { server, connection } = await open(GROUPED);
    async function* content(): AsyncGenerator<Buffer> {
      yield Buffer.from('a\r\n');
      throw new Error('store away');
    }
    const result = await connection.send(message({ content }));
    expect(result.outcomes[0]).toEqual({ kind: 'sourceFailed', detail: 'store away' });
    expect(server.messages).toEqual([]);
  });
  test('a large message arrives whole; memory is what the socket holds', async () => {
    const { server, connection } = await open(GROUPED);
    const line = Buffer.from(`.${'x'.repeat(76)}\r\n`.repeat(500));
    async function* content(): AsyncGenerator<Buffer> {
      for (let index = 0; index < 100; index += 1) yield line;
    }
    const result = await connection.send(message({ content }));
    expect(kinds(result)).toEqual(['accepted', 'accepted']);
    expect(result.bytes).toBe(100 * (line.length + 500) + 3);
    expect(server.messages[0]?.length).toBe(100 * (line.length + 500));
  });
  test('a server that refuses in the middle and hangs up: its words count', async () => {
    const { connection } = await open({
      ...GROUPED,
      onContent: (soFar, socket) => {
        if (soFar.length > 1000 && !socket.writableEnded) socket.end('552 5.3.4 too big\r\n');
        return false;
      },
    });
    async function* content(): AsyncGenerator<Buffer> {
      for (let index = 0; index < 10_000; index += 1) {
        yield Buffer.alloc(10_000, 'a');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    expect((await connection.send(message({ content }))).outcomes[0]).toMatchObject({
      kind: 'permanent',
      reply: { code: 552 },
    });
  });
  test('a server that dies in the middle: failed, not unknown', async () => {
    const { connection } = await open({ ...GROUPED, onContent: (soFar) => soFar.length > 1000 });
    async function* content(): AsyncGenerator<Buffer> {
      for (let index = 0; index < 10_000; index += 1) {
        yield Buffer.alloc(10_000, 'a');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    expect((await connection.send(message({ content }))).outcomes[0]).toMatchObject({
      kind: 'failed',
      failure: { stage: 'body' },
    });
  });
});

describe('LMTP', () => {
  test('a reply for each accepted recipient', async () => {
    const { connection } = await open({
      ...GROUPED,
      lmtp: true,
      on: (line) => (line.startsWith('RCPT TO:<no') ? '550 5.1.1 who' : undefined),
      onDot: () => '250 2.0.0 kept\r\n452 4.2.2 full',
    });
    const recipients = ['one@b.test', 'no@b.test', 'two@b.test'].map((forwardPath) => ({ forwardPath }));
    const result = await connection.send(message({ recipients }));
    expect(result.outcomes).toMatchObject([
      { kind: 'accepted' },
      { kind: 'permanent', stage: 'rcpt' },
      { kind: 'temporary', stage: 'final', reply: { enhanced: '4.2.2' } },
    ]);
    expect(connection.usable).toBe(true);
  });
  test('dead after the first reply: one accepted, one unknown', async () => {
    const { connection } = await open(
      { ...GROUPED, lmtp: true, onDot: () => '250 2.0.0 kept' },
      { timeouts: { dataTermination: 50 } },
    );
    expect(kinds(await connection.send(message()))).toEqual(['accepted', 'unknownAfterDot']);
  });
});

describe('reuse', () => {
  test('many messages, one connection, QUIT at the end', async () => {
    const { server, connection } = await open(GROUPED);
    for (let index = 0; index < 20; index += 1)
      expect(kinds(await connection.send(message()))).toEqual(['accepted', 'accepted']);
    await connection.quit();
    expect(server.messages).toHaveLength(20);
    expect(server.connections).toBe(1);
    expect(server.commands.at(-1)).toBe('QUIT');
    expect(connection.transactions).toBe(20);
  });
  test('a connection the server closed while idle is stale', async () => {
    const { server, connection } = await open(GROUPED);
    await connection.send(message());
    await server.close();
    const result = await connection.send(message());
    expect(result.outcomes[0]).toMatchObject({ kind: 'failed', failure: { reason: 'stale' } });
  });
  test('more replies than commands make it unusable', async () => {
    const { connection } = await open({ ...GROUPED, onDot: () => '250 ok\r\n250 ok again' });
    expect(kinds(await connection.send(message()))).toEqual(['accepted', 'accepted']);
    expect(connection.usable).toBe(false);
  });
});

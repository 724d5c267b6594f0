import { FakeClock, systemClock } from '@postern/clock';
import { afterEach, describe, expect, test } from 'vitest';
import { type ConnectResult, connectSmtp } from './connect.js';
import type { ConnectOptions } from './options.js';
import { type Script, type ScriptedServer, startScripted } from './testing/scripted-server.js';
import { selfSigned } from './testing/self-signed.js';
import type { TranscriptLine } from './transcript.js';

const started: ScriptedServer[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.close()));
});

const certificate = selfSigned('mx.test');

async function dial(
  script: Script,
  change: Partial<ConnectOptions> = {},
): Promise<{ readonly server: ScriptedServer; readonly result: ConnectResult }> {
  const server = await startScripted(script);
  started.push(server);
  const base = {
    address: '127.0.0.1',
    port: server.port,
    localName: 'client.test',
    protocol: 'smtp',
    clock: systemClock,
  } as const;
  return { server, result: await connectSmtp({ ...base, tls: { mode: 'none' }, ...change }) };
}

describe('hello', () => {
  test('EHLO and its extensions', async () => {
    const extensions = ['PIPELINING', 'size 1000', '8BITMIME', 'DSN', 'AUTH PLAIN LOGIN', 'LIMITS RCPTMAX=7'];
    const { result } = await dial({ extensions });
    expect(result.ok && result.connection.capabilities).toMatchObject({
      pipelining: true,
      sizeLimit: 1000,
      eightBitMime: true,
      dsn: true,
      smtputf8: false,
      authMechanisms: ['PLAIN', 'LOGIN'],
      maxRecipients: 7,
    });
  });
  test('HELO where EHLO is unknown', async () => {
    const { server, result } = await dial({ on: (line) => (line.startsWith('EHLO') ? '502 what' : undefined) });
    expect(result).toMatchObject({ ok: true });
    expect(server.commands).toEqual(['EHLO client.test', 'HELO client.test']);
  });
  test('LHLO, without a fallback', async () => {
    const { server, result } = await dial({ on: () => '500 what' }, { protocol: 'lmtp' });
    expect(result).toMatchObject({ ok: false, failure: { stage: 'hello', reason: 'refused', temporary: false } });
    expect(server.commands).toEqual(['LHLO client.test']);
  });
  const greetings: readonly [string, object][] = [
    ['554 5.7.1 go away', { stage: 'greeting', reason: 'refused', temporary: false }],
    ['421 4.3.2 later', { stage: 'greeting', reason: 'refused', temporary: true }],
    ['hello there', { stage: 'greeting', reason: 'protocol' }],
    [`220-${'x'.repeat(5000)}`, { stage: 'greeting', reason: 'protocol' }],
    ['hangup', { stage: 'greeting', reason: 'closed' }],
  ];
  test.each(greetings)('greeting %.30s', async (greeting, failure) => {
    const { result } = await dial({ greeting });
    expect(result).toMatchObject({ ok: false, failure });
  });
});

describe('connecting', () => {
  test('nobody listens', async () => {
    const server = await startScripted();
    await server.close();
    const options = {
      address: '127.0.0.1',
      port: server.port,
      localName: 'c.test',
      protocol: 'smtp',
      clock: systemClock,
    } as const;
    const result = await connectSmtp({ ...options, tls: { mode: 'none' } });
    expect(result).toMatchObject({ ok: false, failure: { stage: 'connect', reason: 'network', code: 'ECONNREFUSED' } });
  });
  test('a local address that is not ours', async () => {
    const { result } = await dial({}, { localAddress: '192.0.2.1' });
    expect(result).toMatchObject({ ok: false, failure: { stage: 'connect', reason: 'network' } });
  });
  test('a silent server runs into the deadline of its stage', async () => {
    const clock = new FakeClock();
    const server = await startScripted({ greeting: '' });
    started.push(server);
    const options = { address: '127.0.0.1', port: server.port, localName: 'c.test', protocol: 'smtp', clock } as const;
    const pending = connectSmtp({
      ...options,
      tls: { mode: 'none' },
      timeouts: { connect: 1_000_000, greeting: 5000 },
    });
    while (server.connections === 0) await new Promise((resolve) => setImmediate(resolve));
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    let result: ConnectResult | null = null;
    void pending.then((value) => {
      result = value;
    });
    while (result === null) {
      await clock.advance(5000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(result).toMatchObject({ ok: false, failure: { stage: 'greeting', reason: 'timeout', temporary: true } });
  });
  test('abort', async () => {
    const controller = new AbortController();
    const { result } = await dial(
      {
        on: () => {
          controller.abort();
          return '';
        },
      },
      { signal: controller.signal },
    );
    expect(result).toMatchObject({ ok: false, failure: { stage: 'hello', reason: 'aborted' } });
  });
});

describe('TLS', () => {
  const script: Script = { extensions: ['STARTTLS', 'DSN'], tls: certificate };
  test('opportunistic takes any certificate and says what it saw', async () => {
    const { server, result } = await dial(script, { tls: { mode: 'opportunistic', serverName: 'mx.test' } });
    expect(result.ok && result.connection.tls).toMatchObject({ version: 'TLSv1.3', authorized: false });
    expect(server.commands).toEqual(['EHLO client.test', 'STARTTLS', 'EHLO client.test']);
  });
  test('opportunistic goes on without', async () => {
    const { result } = await dial({}, { tls: { mode: 'opportunistic' } });
    expect(result.ok && result.connection.tls).toBeNull();
  });
  test('required does not', async () => {
    const { result } = await dial({}, { tls: { mode: 'required' } });
    expect(result).toMatchObject({ ok: false, failure: { stage: 'starttls', reason: 'notOffered', temporary: true } });
  });
  test('verified refuses a stranger, and takes a known authority with the right name only', async () => {
    const stranger = await dial(script, { tls: { mode: 'verified', serverName: 'mx.test' } });
    expect(stranger.result).toMatchObject({ ok: false, failure: { stage: 'tls', reason: 'certificate' } });
    const known = { ca: certificate.cert };
    const right = await dial(script, { tls: { mode: 'verified', serverName: 'mx.test', context: known } });
    expect(right.result.ok && right.result.connection.tls).toMatchObject({ authorized: true });
    const wrong = await dial(script, { tls: { mode: 'verified', serverName: 'other.test', context: known } });
    expect(wrong.result).toMatchObject({ ok: false, failure: { stage: 'tls', reason: 'certificate' } });
  });
  test('the caller may object to the peer before any mail', async () => {
    const { result } = await dial(script, { tls: { mode: 'required', checkPeer: () => 'no TLSA record matches' } });
    expect(result).toMatchObject({
      ok: false,
      failure: { stage: 'tls', reason: 'certificate', detail: 'no TLSA record matches' },
    });
  });
  test('implicit', async () => {
    const { result } = await dial(
      { tls: certificate, implicitTls: true },
      { tls: { mode: 'required', implicit: true } },
    );
    expect(result.ok && result.connection.tls).not.toBeNull();
  });
  test('a handshake that fails', async () => {
    const { result } = await dial(
      {
        extensions: ['STARTTLS'],
        on: (line) => (line === 'STARTTLS' ? '220 go' : undefined),
        tls: { key: '', cert: '' },
      },
      { tls: { mode: 'opportunistic' } },
    );
    expect(result).toMatchObject({ ok: false, failure: { stage: 'tls', temporary: true } });
  });
  test('words behind the 220 of STARTTLS are an attack', async () => {
    const { result } = await dial(
      { extensions: ['STARTTLS'], on: (line) => (line === 'STARTTLS' ? '220 go\r\n250 injected' : undefined) },
      { tls: { mode: 'opportunistic' } },
    );
    expect(result).toMatchObject({ ok: false, failure: { stage: 'starttls', reason: 'protocol' } });
  });
});

describe('AUTH', () => {
  const credentials = { username: 'u', password: 'geheim', allowPlaintext: true };
  test('PLAIN, and the transcript does not tell', async () => {
    const lines: TranscriptLine[] = [];
    const { server, result } = await dial(
      { extensions: ['AUTH LOGIN PLAIN'], on: (line) => (line.startsWith('AUTH') ? '235 2.7.0 ok' : undefined) },
      { credentials, transcript: { sink: (line) => lines.push(line) } },
    );
    expect(result.ok).toBe(true);
    expect(server.commands[1]).toBe(`AUTH PLAIN ${Buffer.from('\0u\0geheim').toString('base64')}`);
    expect(lines.map(({ text }) => text)).toContain('AUTH PLAIN (secret)');
    expect(JSON.stringify(lines)).not.toContain(Buffer.from('\0u\0geheim').toString('base64'));
  });
  test('LOGIN', async () => {
    const answers = ['334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6', '235 ok'];
    const { server, result } = await dial(
      { extensions: ['AUTH LOGIN'], on: (line) => (line.startsWith('EHLO') ? undefined : answers.shift()) },
      { credentials },
    );
    expect(result.ok).toBe(true);
    expect(server.commands.slice(1)).toEqual(['AUTH LOGIN', 'dQ==', 'Z2VoZWlt']);
  });
  test('no password without TLS', async () => {
    const { server, result } = await dial(
      { extensions: ['AUTH PLAIN'] },
      { credentials: { username: 'u', password: 'p' } },
    );
    expect(result).toMatchObject({ ok: false, failure: { stage: 'auth', reason: 'notOffered' } });
    expect(server.commands).toHaveLength(1);
  });
  test('refused credentials are temporary for the mail', async () => {
    const { result } = await dial(
      { extensions: ['AUTH PLAIN'], on: (line) => (line.startsWith('AUTH') ? '535 5.7.8 no' : undefined) },
      { credentials },
    );
    expect(result).toMatchObject({
      ok: false,
      failure: { stage: 'auth', temporary: true, reply: { enhanced: '5.7.8' } },
    });
  });
});

/**
 * From nothing to a connection ready for MAIL: connect, greeting, EHLO (HELO, LHLO), STARTTLS, AUTH.
 * Each step has its deadline and its failure. After STARTTLS nothing said before counts (RFC 3207 §4.2), and a server
 * that said more than its 220 is refused: somebody on the path may have put it there.
 */
import { isIP, connect as netConnect, type Socket } from 'node:net';
import type { ServerReply } from '@postern/smtp-core';
import { authenticate } from './authentication.js';
import { type Capabilities, readCapabilities } from './capabilities.js';
import { SmtpConnection } from './connection.js';
import {
  type ConnectionFailure,
  failureOf,
  networkFault,
  refusedBy,
  type Stage,
  unmet,
  type WireFault,
} from './failure.js';
import { type ConnectOptions, DEFAULT_TIMEOUTS, type Timeouts } from './options.js';
import { secure, tlsInfo } from './tls-upgrade.js';
import { Transcript } from './transcript.js';
import { Wire } from './wire.js';

export type ConnectResult =
  | { readonly ok: true; readonly connection: SmtpConnection }
  | { readonly ok: false; readonly failure: ConnectionFailure };

interface Dialogue {
  readonly options: ConnectOptions;
  readonly timeouts: Timeouts;
  readonly transcript: Transcript;
  readonly wire: Wire;
}

type Step<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: ConnectionFailure };

function stop(failure: ConnectionFailure): { readonly ok: false; readonly failure: ConnectionFailure } {
  return { ok: false, failure };
}

/** Resolves when the socket is connected; a fault otherwise. */
async function openSocket(options: ConnectOptions, timeoutMs: number): Promise<Socket | WireFault> {
  if (options.socket !== undefined) return options.socket;
  if (isIP(options.address) === 0) throw new TypeError('smtp-client connects to addresses, not to names');
  if (options.signal?.aborted === true) return { reason: 'aborted', code: null, detail: 'aborted by the caller' };
  const { promise, resolve } = Promise.withResolvers<Socket | WireFault>();
  const socket = netConnect({
    host: options.address,
    port: options.port,
    noDelay: true,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  const onError = (error: Error): void => resolve(networkFault(error));
  const onAbort = (): void => resolve({ reason: 'aborted', code: null, detail: 'aborted by the caller' });
  const timer = options.clock.setTimer(timeoutMs, () =>
    resolve({ reason: 'timeout', code: 'ETIMEDOUT', detail: 'could not connect in time' }),
  );
  options.signal?.addEventListener('abort', onAbort, { once: true });
  // The wire is attached before the next turn of the event loop: no data and no error falls in between.
  socket.once('error', onError).once('connect', () => resolve(socket));
  const opened = await promise;
  timer.cancel();
  options.signal?.removeEventListener('abort', onAbort);
  if ('reason' in opened) socket.on('error', () => undefined).destroy();
  socket.off('error', onError);
  return opened;
}

async function command(dialogue: Dialogue, line: string, stage: Stage): Promise<Step<ServerReply>> {
  dialogue.transcript.add('client', line);
  dialogue.wire.write(`${line}\r\n`);
  const answer = await dialogue.wire.nextReply(dialogue.timeouts.command);
  return answer.ok ? { ok: true, value: answer.reply } : stop(failureOf(stage, answer.fault));
}

async function greeting(dialogue: Dialogue): Promise<ConnectionFailure | null> {
  const answer = await dialogue.wire.nextReply(dialogue.timeouts.greeting);
  if (!answer.ok) return failureOf('greeting', answer.fault);
  return answer.reply.code === 220 ? null : refusedBy('greeting', answer.reply, answer.reply.code < 500);
}

/** EHLO, then HELO where EHLO is unknown (RFC 5321 §3.2); LHLO has no such fallback (RFC 2033 §4.1). */
async function hello(dialogue: Dialogue): Promise<Step<Capabilities>> {
  const { localName, protocol } = dialogue.options;
  const extended = await command(dialogue, `${protocol === 'lmtp' ? 'LHLO' : 'EHLO'} ${localName}`, 'hello');
  if (!extended.ok) return extended;
  const { code, lines } = extended.value;
  if (code === 250) return { ok: true, value: readCapabilities(lines) };
  const unknown = code === 500 || code === 501 || code === 502 || code === 504;
  if (protocol === 'lmtp' || !unknown) return stop(refusedBy('hello', extended.value, code < 500));
  const basic = await command(dialogue, `HELO ${localName}`, 'hello');
  if (!basic.ok) return basic;
  if (basic.value.code !== 250) return stop(refusedBy('hello', basic.value, basic.value.code < 500));
  return { ok: true, value: readCapabilities([]) };
}

/** STARTTLS as the mode wants it; the capabilities that count afterwards. */
async function startTls(dialogue: Dialogue, offered: Capabilities): Promise<Step<Capabilities>> {
  const { tls } = dialogue.options;
  if (tls.mode === 'none' || tls.implicit === true) return { ok: true, value: offered };
  if (!offered.startTls) {
    if (tls.mode === 'opportunistic') return { ok: true, value: offered };
    return stop(unmet('starttls', 'notOffered', 'STARTTLS is required and not offered'));
  }
  const answer = await command(dialogue, 'STARTTLS', 'starttls');
  if (!answer.ok) return answer;
  if (answer.value.code !== 220) {
    if (tls.mode === 'opportunistic' && answer.value.code !== 421) return { ok: true, value: offered };
    return stop(refusedBy('starttls', answer.value, true));
  }
  if (!dialogue.wire.quiet) return stop(unmet('starttls', 'protocol', 'data before the TLS handshake'));
  const failure = await secure(dialogue.wire, tls, dialogue.timeouts.tls);
  return failure === null ? hello(dialogue) : stop(failure);
}

async function prepare(dialogue: Dialogue): Promise<Step<Capabilities>> {
  const { wire, options, timeouts, transcript } = dialogue;
  if (options.tls.implicit === true) {
    const failure = await secure(wire, options.tls, timeouts.tls);
    if (failure !== null) return stop(failure);
  }
  const unwelcome = await greeting(dialogue);
  if (unwelcome !== null) return stop(unwelcome);
  const first = await hello(dialogue);
  if (!first.ok) return first;
  const ready = await startTls(dialogue, first.value);
  if (!ready.ok || options.credentials === undefined) return ready;
  const refused = await authenticate({
    wire,
    credentials: options.credentials,
    offered: ready.value.authMechanisms,
    secured: tlsInfo(wire, options.tls) !== null,
    timeoutMs: timeouts.command,
    transcript,
  });
  return refused === null ? ready : stop(refused);
}

/** Opens a connection that is ready for its first message. On failure nothing is left open. */
export async function connectSmtp(options: ConnectOptions): Promise<ConnectResult> {
  if (!/^[!-~]+$/.test(options.localName)) throw new TypeError('localName must be a host name or address literal');
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const started = options.clock.monotonic();
  const transcript = new Transcript(options.transcript ?? null, () => Math.round(options.clock.monotonic() - started));
  const socket = await openSocket(options, timeouts.connect);
  if ('reason' in socket) return stop(failureOf('connect', socket));
  const wire = new Wire(socket, {
    clock: options.clock,
    transcript,
    replyLimits: options.replyLimits ?? {},
    signal: options.signal ?? null,
  });
  try {
    const ready = await prepare({ options, timeouts, transcript, wire });
    if (!ready.ok) {
      wire.close();
      return ready;
    }
    const { protocol, tls } = options;
    const facts = { wire, timeouts, transcript, protocol, capabilities: ready.value, tls: tlsInfo(wire, tls) };
    return { ok: true, connection: new SmtpConnection(facts) };
  } catch (error) {
    wire.close(); // a hook of the caller threw
    throw error;
  }
}

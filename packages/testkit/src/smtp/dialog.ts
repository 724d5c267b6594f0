/**
 * Runs a dialog file against a server. Line 1 cites the RFC, then
 *   `@name value`  what the ground must be (`@listener NAME`, others as the ground knows them)
 *   `C: text`      sent with CRLF; C lines that follow each other are one write; `${...}` as in dialog-login.ts
 *   `C= text`      sent as it is, \r \n \0 \x.. understood; `C* n text` the same n times
 *   `S: text`      the next reply must begin so, escapes understood
 *   `S# n text`    so must the next n replies
 *   `S* text`      the next reply must hold the text somewhere; `S! text` must not
 *   `TLS`          the client's handshake; `AGAIN` it connects anew; then `TLS ticket`: it is taken by the ticket of the handshake before, `TLS whole`: it is not
 *   `CLOSED` the server ended the connection;  `STORED n` messages stored so far
 *   `BODY text`    the last stored message ends with exactly that, escapes understood
 *   `WAIT n`       so many seconds pass; `RECIPIENT text` the next recipient of the last stored message, or `none`: both where the ground can
 */
import { readFileSync } from 'node:fs';
import { bytesOf } from './dialog-escapes.js';
import { DialogLogin } from './dialog-login.js';
import type { RawClient } from './raw-client.js';
import { malformedReply } from './reply-form.js';

/** What the dialog is spoken to, and what can be seen behind it. */
export interface DialogGround {
  connect(listener: string): Promise<RawClient>;
  /** Messages stored in this dialog; waits for `expected` as long as it takes to be sure. */
  stored(expected: number): Promise<number>;
  /** Octets of the last one. */
  lastBody(): Promise<Buffer>;
  /** Recipients of the last one, each with its parameters as a line of text. */
  lastRecipients?(): readonly string[];
  wait?(seconds: number): Promise<void>;
}

export interface Dialog {
  readonly file: string;
  readonly listener: string;
  readonly options: readonly { readonly name: string; readonly value: string }[];
  readonly lines: readonly string[];
}

/** The octets a `C` line sends, one latin1 character each; undefined where it is none. */
function sentBy(line: string): string | undefined {
  if (line.startsWith('C:')) return `${Buffer.from(line.slice(3), 'utf8').toString('latin1')}\r\n`;
  if (line.startsWith('C=')) return bytesOf(line.slice(3));
  const [, count, text = ''] = /^C\* (\d+) (.*)$/.exec(line) ?? [];
  return count === undefined ? undefined : bytesOf(text).repeat(Number(count));
}

export function readDialog(file: string): Dialog {
  const lines = readFileSync(file, 'utf8').split('\n');
  if (!/^# RFC \d+ §/.test(lines[0] ?? '')) throw new Error(`${file}: line 1 does not cite the RFC`);
  const options = lines
    .filter((line) => line.startsWith('@'))
    .map((line) => {
      const [, name = '', value = ''] = /^@(\S+) ?(.*)$/.exec(line) ?? [];
      return { name, value };
    });
  const listener = options.find(({ name }) => name === 'listener')?.value ?? 'mx';
  return { file, listener, lines, options: options.filter(({ name }) => name !== 'listener') };
}

class Run {
  /** Every reply, in order. */
  readonly said: string[] = [];
  client: RawClient;
  #login: DialogLogin;
  #recipients = 0;
  /** Of the connection before. */
  #ticket: Buffer | undefined;

  constructor(
    client: RawClient,
    readonly ground: DialogGround,
    readonly listener: string,
  ) {
    this.client = client;
    this.#login = new DialogLogin(client);
  }

  async #again(): Promise<void> {
    this.#ticket = await this.client.ticket();
    this.client.destroy();
    this.client = await this.ground.connect(this.listener);
    this.#login = new DialogLogin(this.client);
  }

  async #handshake(expected: string): Promise<string | undefined> {
    const offered = expected === 'TLS' ? {} : { session: this.#ticket };
    const socket = await this.client.startTls(offered);
    if (expected === 'TLS') return undefined;
    const seen = socket.isSessionReused() ? 'ticket' : 'whole';
    return seen === expected ? undefined : `the handshake was ${seen}`;
  }

  expand(line: string): string {
    return this.#login.expand(line);
  }

  /** What is wrong; undefined = as expected. */
  async perform(line: string): Promise<string | undefined> {
    const { client, ground } = this;
    const [kind = '', text = ''] = [line.slice(0, 2), bytesOf(this.expand(line.slice(3)))];
    if (kind === 'S#') return this.#expectMany(text);
    if (kind === 'S:' || kind === 'S*' || kind === 'S!') return this.#expect(kind, text);
    const [word = '', argument = ''] = [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)];
    switch (word) {
      case 'TLS':
        return this.#handshake(argument);
      case 'AGAIN':
        await this.#again();
        return undefined;
      case 'CLOSED':
        await client.closed();
        return client.rest === '' ? undefined : `before its end the server said ${JSON.stringify(client.rest)}`;
      case 'STORED': {
        const stored = await ground.stored(Number(argument));
        return stored === Number(argument) ? undefined : `${stored} stored`;
      }
      case 'BODY': {
        const body = (await ground.lastBody()).toString('latin1');
        return body.endsWith(bytesOf(argument)) ? undefined : `the message was ${JSON.stringify(body)}`;
      }
      case 'RECIPIENT': {
        const recipient = ground.lastRecipients?.()[this.#recipients++] ?? 'none';
        return recipient === argument ? undefined : `the recipient was ${recipient}`;
      }
      case 'WAIT':
        if (ground.wait === undefined) return 'no clock to turn here';
        await ground.wait(Number(argument));
        return undefined;
      default:
        return 'cannot be read';
    }
  }

  async #expect(kind: string, text: string): Promise<string | undefined> {
    const reply = await this.client.reply();
    if (reply === undefined) return 'the connection was closed';
    this.said.push(reply);
    this.#login.hear(reply);
    const fits = kind === 'S:' ? reply.startsWith(text) : reply.includes(text) === (kind === 'S*');
    return fits ? undefined : `the reply was ${JSON.stringify(reply)}`;
  }

  async #expectMany(text: string): Promise<string | undefined> {
    const [, count = '0', start = ''] = /^(\d+) (.*)$/.exec(text) ?? [];
    for (let at = 1; at <= Number(count); at++) {
      const problem = await this.#expect('S:', start);
      if (problem !== undefined) return `at ${at}: ${problem}`;
    }
    return count === '0' ? 'cannot be read' : undefined;
  }
}

/** Throws with file, line and what was seen where the server does not say what the dialog expects; returns all it said. */
export async function runDialog(dialog: Dialog, ground: DialogGround): Promise<readonly string[]> {
  const client = await ground.connect(dialog.listener);
  const run = new Run(client, ground, dialog.listener);
  try {
    let pending = '';
    for (const [index, line] of dialog.lines.entries()) {
      if (line === '' || line.startsWith('#') || line.startsWith('@')) continue;
      const sent = line.startsWith('C') && line !== 'CLOSED' ? sentBy(run.expand(line)) : undefined;
      if (sent !== undefined) {
        pending += sent;
        continue;
      }
      if (pending !== '') run.client.sendBytes(pending);
      pending = '';
      const problem = await run.perform(line);
      if (problem !== undefined) throw new Error(`${dialog.file}:${index + 1} ${line}: ${problem}`);
    }
    const malformed = malformedReply(run.said);
    if (malformed !== undefined) throw new Error(`${dialog.file}: ${malformed}`);
    return run.said;
  } finally {
    run.client.destroy();
  }
}

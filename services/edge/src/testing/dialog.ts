/**
 * Runs a dialog file: line 1 cites the RFC, then
 *   `@name value`  option of the listener or the doubles (listener, policy, login, spool, snapshot as JSON, drain)
 *   `C: text`      sent with CRLF; C lines that follow each other are one write
 *   `C= text`      sent as it is, \r \n \0 \x.. understood
 *   `S: text`      the next reply must begin so; several lines of a multi-line reply are separate by ` | `
 *   `S* text`      the next reply must hold the text somewhere
 *   `TLS`          the client's handshake;  `CLOSED` the server ended the connection;  `STORED n` messages stored so far
 *   `BODY text`    the last stored message is exactly that, escapes understood
 */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { ListenerRole } from '../session.js';
import { Doubles, RawClient } from './doubles.js';

const bytesOf = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_all, hex: string | undefined, letter: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return { r: '\r', n: '\n', '0': '\0' }[letter] ?? letter;
  });

const roles: Readonly<Record<string, ListenerRole>> = {
  mx: 'mx',
  submission: 'submission',
  submissions: 'submissions',
};

function setUp(doubles: Doubles, name: string, value: string): void {
  if (name === 'policy' && value === 'away') doubles.evaluate = () => ({ kind: 'unavailable', reason: 'test' });
  else if (name === 'login' && value === 'away') doubles.verify = () => ({ kind: 'unavailable', reason: 'test' });
  else if (name === 'spool' && value === 'full') doubles.spoolResult = { kind: 'full', reason: 'test' };
  else if (name === 'spool' && value === 'unknown') doubles.spoolResult = { kind: 'unknown', reason: 'test' };
  else if (name === 'snapshot') doubles.setSnapshot(JSON.parse(value));
  else if (name === 'overload') doubles.overloaded = value;
  else throw new Error(`unknown option @${name} ${value}`);
}

async function perform(client: RawClient, doubles: Doubles, line: string, where: string): Promise<void> {
  const [kind = '', rest = ''] = [line.slice(0, 2), line.slice(3)];
  if (kind === 'S:') expect(await client.reply(), where).toSatisfy((reply: string) => reply?.startsWith(rest), rest);
  else if (kind === 'S*') expect(await client.reply(), where).toContain(rest);
  else if (line === 'TLS') await client.startTls();
  else if (line === 'CLOSED') expect(await client.closed(), where).toBe(true);
  else if (line.startsWith('STORED ')) expect(doubles.stored.length, where).toBe(Number(line.slice(7)));
  else if (line.startsWith('BODY '))
    expect(doubles.stored.at(-1)?.body.toString('latin1'), where).toBe(bytesOf(line.slice(5)));
  else throw new Error(`${where}: cannot read ${line}`);
}

export async function runDialog(file: string): Promise<void> {
  const lines = readFileSync(file, 'utf8').split('\n');
  expect(lines[0], `${file}: line 1 cites the RFC`).toMatch(/^# RFC \d+ §/);
  const doubles = new Doubles();
  let role: ListenerRole = 'mx';
  for (const line of lines.filter((text) => text.startsWith('@'))) {
    const [, name = '', value = ''] = /^@(\S+) ?(.*)$/.exec(line) ?? [];
    if (name === 'listener') role = roles[value] ?? 'mx';
    else setUp(doubles, name, value);
  }
  const listener = await doubles.listen({ name: role, role });
  const client = await RawClient.open(listener.port, role === 'submissions');
  try {
    let pending = '';
    for (const [index, line] of lines.entries()) {
      if (line === '' || line.startsWith('#') || line.startsWith('@')) continue;
      if (line.startsWith('C:')) pending += `${Buffer.from(line.slice(3), 'utf8').toString('latin1')}\r\n`;
      else if (line.startsWith('C=')) pending += bytesOf(line.slice(3));
      else {
        if (pending !== '') client.sendBytes(pending);
        pending = '';
        await perform(client, doubles, line, `${file}:${index + 1} ${line}`);
      }
    }
  } finally {
    client.destroy();
    listener.destroy();
    await listener.drain();
  }
}

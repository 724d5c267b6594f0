/**
 * Runs a dialog file against a server. Line 1 cites the RFC, then
 *   `@name value`  what the ground must be (`@listener NAME`, others as the ground knows them)
 *   `C: text`      sent with CRLF; C lines that follow each other are one write
 *   `C= text`      sent as it is, \r \n \0 \x.. understood; `C* n text` the same n times
 *   `S: text`      the next reply must begin so
 *   `S* text`      the next reply must hold the text somewhere; `S! text` must not
 *   `TLS`          the client's handshake;  `CLOSED` the server ended the connection;  `STORED n` messages stored so far
 *   `BODY text`    the last stored message ends with exactly that, escapes understood
 */
import { readFileSync } from 'node:fs';
import type { RawClient } from './raw-client.js';

/** What the dialog is spoken to, and what can be seen behind it. */
export interface DialogGround {
  connect(listener: string): Promise<RawClient>;
  /** Messages stored in this dialog; waits for `expected` as long as it takes to be sure. */
  stored(expected: number): Promise<number>;
  /** Octets of the last one. */
  lastBody(): Promise<Buffer>;
}

export interface Dialog {
  readonly file: string;
  readonly listener: string;
  readonly options: readonly { readonly name: string; readonly value: string }[];
  readonly lines: readonly string[];
}

const bytesOf = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_all, hex: string | undefined, letter: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return { r: '\r', n: '\n', '0': '\0' }[letter] ?? letter;
  });

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

async function perform(client: RawClient, ground: DialogGround, line: string): Promise<string | undefined> {
  const [kind = '', text = ''] = [line.slice(0, 2), line.slice(3)];
  if (kind === 'S:' || kind === 'S*' || kind === 'S!') {
    const reply = await client.reply();
    if (reply === undefined) return 'the connection was closed';
    const fits = kind === 'S:' ? reply.startsWith(text) : reply.includes(text) === (kind === 'S*');
    return fits ? undefined : `the reply was ${JSON.stringify(reply)}`;
  }
  if (line === 'TLS') await client.startTls();
  else if (line === 'CLOSED') await client.closed();
  else if (line.startsWith('STORED ')) {
    const expected = Number(line.slice(7));
    const stored = await ground.stored(expected);
    return stored === expected ? undefined : `${stored} stored`;
  } else if (line.startsWith('BODY ')) {
    const body = (await ground.lastBody()).toString('latin1');
    return body.endsWith(bytesOf(line.slice(5))) ? undefined : `the message was ${JSON.stringify(body)}`;
  } else return 'cannot be read';
  return undefined;
}

/** Throws with file, line and what was seen where the server does not say what the dialog expects. */
export async function runDialog(dialog: Dialog, ground: DialogGround): Promise<void> {
  const client = await ground.connect(dialog.listener);
  try {
    let pending = '';
    for (const [index, line] of dialog.lines.entries()) {
      if (line === '' || line.startsWith('#') || line.startsWith('@')) continue;
      const sent = sentBy(line);
      if (sent !== undefined) {
        pending += sent;
        continue;
      }
      if (pending !== '') client.sendBytes(pending);
      pending = '';
      const problem = await perform(client, ground, line);
      if (problem !== undefined) throw new Error(`${dialog.file}:${index + 1} ${line}: ${problem}`);
    }
  } finally {
    client.destroy();
  }
}

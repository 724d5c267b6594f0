/** Every dialog against the front over doubles; then what all of them heard beside the catalogue: no code that is not in it, and no reply of the edge that no dialog shows. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Reply, replies } from '@postern/smtp-core';
import { describe, expect, it, test } from 'vitest';
import { runDialog } from '../testing/dialog.js';

/** Dialogs that need something to fail are ours; all others are those of the cluster. */
const folders = ['./dialogs/', '../../../../packages/e2e/conformance/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const said: string[] = [];

describe.each(folders)('dialogs of %s', (folder) => {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.smtp'),
  ))
    it.concurrent(name, async () => void said.push(...(await runDialog(`${folder}${name}`))));
});

/** Those made from something have its place left open. */
const open: Record<keyof typeof replies, Reply> = {
  ...replies,
  greeting: { ...replies.greeting(''), text: '' },
  hello: replies.hello(''),
  queued: replies.queued(''),
  chunkReceived: { ...replies.chunkReceived(0), text: '' },
  challenge: replies.challenge(''),
  temporaryRejection: replies.temporaryRejection(''),
  badParameter: replies.badParameter(''),
  rejected: replies.rejected(''),
  textLineTooLong: { ...replies.textLineTooLong(0), text: 'message contains a line longer than' },
  tooBigFor: { ...replies.tooBigFor(0, ''), text: 'message exceeds the' },
  sessionMessages: { ...replies.sessionMessages(0), text: 'no more than' },
  overRate: { ...replies.overRate('', 0), text: 'no more than' },
  tooManyRecipients: { ...replies.tooManyRecipients(''), text: 'no more than' },
  tooManyConnections: { ...replies.tooManyConnections(''), text: '' },
  contentRefused: replies.contentRefused(''),
  unknownParameter: { ...replies.unknownParameter(''), text: 'parameter' },
};
const catalogue = new Map<string, Reply>(Object.entries(open));
const codesOf = ({ code, enhanced }: Reply): string => (enhanced === undefined ? `${code}` : `${code} ${enhanced}`);

/** Said by rules and policy in the dialogs, not by the edge. */
const givenCodes = new Set(['553 5.1.8']);

const isShown = (reply: Reply): boolean => {
  const start = `${codesOf(reply)} ${reply.text}`.trimEnd();
  // Of several lines the first has a hyphen behind its code.
  return said.some((one) => one.replace(/^(\d{3})-/, '$1 ').startsWith(start));
};

test('no reply has codes that are not in the catalogue', () => {
  const known = new Set([...catalogue.values()].map(codesOf));
  const heard = new Set(said.map((reply) => /^(\d{3})[ -](?:([245]\.\d+\.\d+) )?/.exec(reply)));
  const strange = [...heard]
    .filter((match) => match?.[2] !== undefined)
    .map((match) => `${match?.[1]} ${match?.[2]}`)
    .filter((codes) => !known.has(codes) && !givenCodes.has(codes));
  expect(strange).toEqual([]);
});

test('every reply the edge can give is shown by a dialog', () => {
  const named = new Set<string>();
  for (const path of ['..', '../../../../packages/flow-control/src/session']) {
    const source = fileURLToPath(new URL(path, import.meta.url));
    for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts') || file.startsWith('testing/')) continue;
      const text = readFileSync(join(source, file), 'utf8');
      for (const [, name = ''] of text.matchAll(/\breplies\.(\w+)/g)) named.add(name);
    }
  }
  const unshown = [...named].filter((name) => {
    const reply = catalogue.get(name);
    if (reply === undefined) throw new Error(`no reply ${name}`);
    return !isShown(reply);
  });
  expect(unshown).toEqual([]);
});

/**
 * docs/reference/errors.md, written from the catalogue so that the two cannot disagree.
 */
import { catalogue, errorIds } from './catalogue.js';

export function errorsMarkdown(): string {
  const lines = [
    '# Errors',
    '',
    'Generated from `packages/errors/src/catalogue.ts`. Ids never change. The reply is what an SMTP client sees when the error',
    'reaches a session: only a judgement about the mail is answered 5xx, a local fault never is.',
    '',
    '| id | try again | gRPC code | reply | text | what to do |',
    '|---|---|---|---|---|---|',
  ];
  for (const id of errorIds) {
    const { temporary, grpcCode, reply, publicText, help } = catalogue[id];
    const cells = [
      `\`${id}\``,
      temporary ? 'yes' : 'no',
      grpcCode,
      `${reply.code} ${reply.enhanced}`,
      publicText,
      help,
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * Texts of replies that are not all ASCII: most clients have not said SMTPUTF8 and get them in ASCII, before MAIL all of them (RFC 6531 §3.7.4.1). What they
 * read then is told when the rule is saved.
 */
import { asciiText } from '@postern/smtp-core';
import type { Action } from './action.js';
import { oneRule } from './one-rule.js';
import type { RuleOptions } from './rule.js';

function replyOf(action: Action): string {
  switch (action.kind) {
    case 'reject':
    case 'tempfail':
    case 'close':
    case 'requireTls':
    case 'greeting':
      return action.text;
    default:
      return '';
  }
}

/** One line for each action. */
export function asciiReplies(document: unknown, options: RuleOptions): string[] {
  const actions = oneRule(document, options)?.actions ?? [];
  return actions.flatMap((action, index) => {
    const text = replyOf(action);
    const read = asciiText(text);
    return read === text
      ? []
      : [`then[${index}].${action.kind}.text: clients without SMTPUTF8 read ${JSON.stringify(read)}`];
  });
}

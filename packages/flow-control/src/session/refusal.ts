/**
 * Decisions of policy as replies. A decision without code or text gets the reply of its action; a code that does not fit the action is not believed
 * (a local fault must never turn into 5xx, nor a refusal into 250). Pure.
 */
import { Action, type Decision, type RecipientGroup } from '@postern/proto/policy/v1/policy_service';
import { isEnhancedCode, type Reply, replies } from '@postern/smtp-core';

/** Takes the message, whatever is done with it afterwards. */
export function isAcceptance(decision: Decision | undefined): boolean {
  const action = decision?.action ?? Action.ACCEPT;
  return (
    action !== Action.REJECT && action !== Action.TEMPFAIL && action !== Action.CLOSE && action !== Action.UNRECOGNIZED
  );
}

const maxReplyLines = 20;

/** RFC 5321 §4.2.1: filters may answer with several lines. */
function linesOf(text: string): Reply['text'] {
  return text.includes('\n') ? text.split(/\r?\n/, maxReplyLines).filter((line) => line !== '') : text;
}

/** The reply of a decision that takes nothing. */
export function refusalOf(decision: Decision | undefined, otherwise: Reply = replies.rejected('rejected')): Reply {
  const action = decision?.action ?? Action.TEMPFAIL;
  const usual =
    action === Action.CLOSE
      ? replies.rateLimited
      : action === Action.REJECT
        ? otherwise
        : replies.temporaryRejection('try again later');
  const band = action === Action.REJECT ? 5 : 4;
  const code = decision?.replyCode ?? 0;
  const fits = Math.floor(code / 100) === band && (action === Action.CLOSE ? code === 421 : true);
  const enhanced = decision?.enhancedCode ?? '';
  const text = decision?.text === undefined || decision.text === '' ? usual.text : linesOf(decision.text);
  const own = isEnhancedCode(enhanced) && enhanced.startsWith(`${band}.`) ? enhanced : usual.enhanced;
  return { code: fits ? code : usual.code, ...(own === undefined ? {} : { enhanced: own }), text };
}

/**
 * What the groups of the end of data refuse of the message as a whole; there is one reply for all: a temporary refusal of one keeps the whole
 * message with the client; a refusal of all is said; of some it cannot be said any more.
 */
export function refusalOfGroups(
  groups: readonly RecipientGroup[],
  recipients: readonly { readonly address: string }[],
): Decision | undefined {
  const open = groups.filter(({ decision }) => !isAcceptance(decision));
  const later = open.find(({ decision }) => decision?.action === Action.TEMPFAIL);
  if (later !== undefined) return later.decision;
  const named = new Set(open.flatMap((group) => group.recipients));
  return recipients.every(({ address }) => named.has(address)) ? open[0]?.decision : undefined;
}

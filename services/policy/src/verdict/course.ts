/**
 * What is decided so far about the session or message as a whole, or about one recipient: a refusal, a disposition, edits and tags. Rules
 * are applied in their order; the first refusal stands, of dispositions the stronger one.
 */

import { type HeaderEdit, HeaderEditKind } from '@postern/proto/mail/v1/envelope';
import { Action, type Decision } from '@postern/proto/policy/v1/policy_service';
import type { Action as RuleAction } from '@postern/rules';
import { decision, isRefusal, stronger } from './decision.js';
import { headerValue } from './header-value.js';

export class Course {
  refusal: Decision | undefined;
  disposition: Decision | undefined;
  /** A rule accepted: checks of this event have no say. */
  accepted = false;
  redirect: string | undefined;
  readonly added: string[] = [];
  /** Where `redirect` and `added` lead, looked up. */
  redirectedTo: readonly string[] | undefined;
  readonly copies: string[] = [];
  readonly edits: HeaderEdit[] = [];
  readonly tags: string[] = [];
  /** Checks whose consequence is spared here. */
  readonly spared = new Set<string>();

  take(decided: Decision): void {
    if (isRefusal(decided.action)) this.refusal ??= decided;
    else this.disposition = stronger(this.disposition, decided);
  }

  /** The decision as it stands; undefined = plain acceptance. */
  get decision(): Decision | undefined {
    return this.refusal ?? this.disposition;
  }

  apply(action: RuleAction, by: string): void {
    const decided = decisionOf(action, by);
    if (decided !== undefined) this.take(decided);
    switch (action.kind) {
      case 'accept':
        this.accepted = true;
        break;
      case 'redirect':
        this.redirect = action.address;
        break;
      case 'addRecipient':
        this.added.push(action.address);
        break;
      case 'tag':
        if (!this.tags.includes(action.name)) this.tags.push(action.name);
        break;
      case 'addHeader':
        this.#edit(HeaderEditKind.APPEND, action.name, action.value);
        break;
      case 'addHeaderIfAbsent':
        this.#edit(HeaderEditKind.ADD_IF_ABSENT, action.name, action.value);
        break;
      case 'changeHeader':
        this.#change(action);
        break;
      case 'removeHeader':
        this.#edit(HeaderEditKind.REMOVE, action.name, '');
        break;
      default:
        // Limits and skipped checks are of the evaluation; the rest is refused when saved (notCarriedOut).
        break;
    }
  }

  /** What a check came to, other than a refusal. */
  tag(name: string): void {
    if (!this.tags.includes(name)) this.tags.push(name);
  }

  rewriteFrom(address: string): void {
    this.edits.push({ kind: HeaderEditKind.CHANGE, name: 'From', value: `<${address}>`, index: 0, behind: '' });
  }

  #edit(kind: HeaderEditKind, name: string, value: string): void {
    this.edits.push({ kind, name, value: headerValue(name, value), index: 0, behind: '' });
  }

  #change({ name, value, prefix, suffix }: Extract<RuleAction, { kind: 'changeHeader' }>): void {
    if (value !== '') this.#edit(HeaderEditKind.CHANGE, name, value);
    // Encoded where it meets the old value: delivery sees that.
    else this.edits.push({ kind: HeaderEditKind.SURROUND, name, value: prefix, index: 0, behind: suffix });
  }
}

/** Of actions that refuse or dispose; a recipient that is dropped is thrown away, recorded. */
function decisionOf(action: RuleAction, by: string): Decision | undefined {
  const of = (done: Action, text: string): Decision => decision({ action: done, code: 0, enhanced: '', text }, by);
  switch (action.kind) {
    case 'reject':
    case 'tempfail': {
      const { code, enhanced, text } = action;
      return decision({ action: action.kind === 'reject' ? Action.REJECT : Action.TEMPFAIL, code, enhanced, text }, by);
    }
    case 'close':
      return decision({ action: Action.CLOSE, code: 421, enhanced: '4.7.0', text: action.text }, by);
    case 'discard':
    case 'dropRecipient':
      return of(Action.DISCARD, '');
    case 'quarantine':
      return of(Action.QUARANTINE, action.reason);
    case 'hold':
      return of(Action.HOLD, action.reason);
    default:
      return undefined;
  }
}

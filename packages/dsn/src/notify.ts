/** Whether anybody wants to hear of an event. RFC 3461 §4.1, RFC 5321 §4.5.5 and §6.1. */
import type { Notify, NotifyEvent } from '@postern/smtp-core';
import type { ReportAction } from './report.js';

/** `notify` null = the parameter was not given: failures are reported, delays as the operator says, success is not. */
export function shouldNotify(notify: Notify | null, event: NotifyEvent, delayByDefault = true): boolean {
  if (notify !== null) return notify.includes(event);
  return event === 'FAILURE' || (event === 'DELAY' && delayByDefault);
}

/** The event of NOTIFY that an action answers. */
export function eventOf(action: ReportAction): NotifyEvent {
  switch (action) {
    case 'failed':
      return 'FAILURE';
    case 'delayed':
      return 'DELAY';
    case 'delivered':
    case 'relayed':
    case 'expanded':
      return 'SUCCESS';
  }
}

/** A message with the null reverse-path never begets a report: a report about a report would never end. */
export function neverBounce(reversePath: string): boolean {
  return reversePath === '' || reversePath === '<>';
}

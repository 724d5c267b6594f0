/**
 * Groups at the end of data: recipients with one outcome and one rendering. None where every recipient leaves unchanged. What all have in
 * common is written once into each rendering.
 */
import type { HeaderEdit } from '@postern/proto/mail/v1/envelope';
import type { RecipientFacts, RecipientGroup } from '@postern/proto/policy/v1/policy_service';
import type { Course } from './course.js';
import { acceptance } from './decision.js';

export interface JudgedRecipient {
  readonly recipient: RecipientFacts;
  readonly course: Course;
}

export interface CommonEdits {
  readonly before: readonly HeaderEdit[];
  readonly after: readonly HeaderEdit[];
  readonly tags: readonly string[];
}

export function recipientGroups(judged: readonly JudgedRecipient[], common: CommonEdits): RecipientGroup[] {
  const groups = new Map<string, RecipientGroup>();
  for (const { recipient, course } of judged) {
    const key = keyOf(course);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, groupOf(recipient, course, common));
    else known.recipients.push(recipient.address);
  }
  const plain =
    common.before.length + common.after.length + common.tags.length === 0 && groups.size === 1 && groups.has('');
  return plain ? [] : [...groups.values()];
}

function keyOf({ decision, edits, tags }: Course): string {
  if (decision === undefined && edits.length === 0 && tags.length === 0) return '';
  return JSON.stringify([decision ?? null, edits, tags]);
}

function groupOf(recipient: RecipientFacts, course: Course, { before, after, tags }: CommonEdits): RecipientGroup {
  return {
    recipients: [recipient.address],
    decision: course.decision ?? acceptance(),
    rendering: {
      edits: [...before, ...course.edits, ...after],
      replacedBodyId: '',
      tags: [...new Set([...tags, ...course.tags])],
    },
  };
}

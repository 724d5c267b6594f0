/**
 * Reads a delivery status notification somebody sent. RFC 3464, RFC 6533. Small and bounded: enough for tests, for
 * counting bounces, and for matching a report to what it is about. Null where the message is no such report.
 */
import { fieldsNamed, type HeaderField, readHeaderSection, readMimeStructure } from '@postern/mail-message';
import { decodeUtf8AddressXtext } from '@postern/smtp-core';

export interface ParsedRecipient {
  /** Type taken off, UTF-8 forms decoded. */
  readonly finalRecipient: string;
  readonly originalRecipient: string | null;
  readonly action: string;
  readonly status: string;
  readonly diagnostic: string | null;
  readonly remoteMta: string | null;
}

export interface ParsedReport {
  readonly reportingMta: string | null;
  readonly envelopeId: string | null;
  readonly recipients: readonly ParsedRecipient[];
  readonly returned: 'full' | 'headers' | 'none';
}

const MAX_RECIPIENTS = 1000;

function text(fields: readonly HeaderField[], name: string): string | null {
  return fieldsNamed(fields, name)[0]?.value ?? null;
}

/** `type; value` without its type. */
function untyped(value: string | null): string | null {
  if (value === null) return null;
  const semicolon = value.indexOf(';');
  const inner = value.slice(semicolon + 1).trim();
  return value.slice(0, semicolon).trim().toLowerCase() === 'utf-8' ? (decodeUtf8AddressXtext(inner) ?? inner) : inner;
}

function readGroups(status: Buffer): readonly (readonly HeaderField[])[] {
  const groups: (readonly HeaderField[])[] = [];
  let at = 0;
  while (at < status.length && groups.length <= MAX_RECIPIENTS) {
    const section = readHeaderSection(status.subarray(at));
    if (section.fields.length > 0) groups.push(section.fields);
    if (section.bodyOffset === 0) break;
    at += section.bodyOffset;
  }
  return groups;
}

function readRecipient(fields: readonly HeaderField[]): ParsedRecipient | null {
  const finalRecipient = untyped(text(fields, 'final-recipient'));
  const action = text(fields, 'action');
  const status = text(fields, 'status');
  if (finalRecipient === null || action === null || status === null) return null;
  return {
    finalRecipient,
    originalRecipient: untyped(text(fields, 'original-recipient')),
    action: action.toLowerCase(),
    status,
    diagnostic: text(fields, 'diagnostic-code'),
    remoteMta: untyped(text(fields, 'remote-mta')),
  };
}

export function parseReport(message: Buffer): ParsedReport | null {
  const { parts } = readMimeStructure(message, { maxParts: 20, maxDepth: 2 });
  const root = parts[0];
  if (root?.contentType !== 'multipart/report') return null;
  if (root.parameters.get('report-type')?.toLowerCase() !== 'delivery-status') return null;
  const types = ['message/delivery-status', 'message/global-delivery-status'];
  const status = parts.find((part) => part.parent === 0 && types.includes(part.contentType));
  if (status === undefined) return null;
  const [about = [], ...groups] = readGroups(message.subarray(status.bodyStart, status.bodyEnd));
  const full = parts.some((part) => part.parent === 0 && /^message\/(?:rfc822|global)$/.test(part.contentType));
  const headers = parts.some(({ contentType }) => /^(?:text\/rfc822|message\/global)-headers$/.test(contentType));
  return {
    reportingMta: untyped(text(about, 'reporting-mta')),
    envelopeId: text(about, 'original-envelope-id'),
    recipients: groups.map(readRecipient).filter((recipient) => recipient !== null),
    returned: full ? 'full' : headers ? 'headers' : 'none',
  };
}

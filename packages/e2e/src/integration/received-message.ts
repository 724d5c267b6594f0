/** Compares a message a next hop took with what the client sent: the bytes of the client at the end, before them only fields a relay may add. */
import { expect } from 'vitest';

/** RFC 5321 §4.4 (trace), RFC 8601, RFC 7208 §9.1. */
const mayBeAdded = /^(Received|Received-SPF|Authentication-Results|Return-Path|Delivered-To|X-Original-To):/i;

export function expectOnlyTraceAdded(received: Buffer | undefined, sent: Buffer): void {
  if (received === undefined) throw new Error('nothing was received');
  const added = received.subarray(0, received.length - sent.length).toString('utf8');
  const fields = added.split(/\r\n(?![ \t])/).filter((field) => field !== '');
  expect(fields.filter((field) => !mayBeAdded.test(field))).toEqual([]);
  expect(fields.some((field) => field.startsWith('Received:'))).toBe(true);
  // Not toEqual: it would print megabytes.
  expect(received.subarray(received.length - sent.length).equals(sent), 'the bytes of the client are unchanged').toBe(
    true,
  );
}

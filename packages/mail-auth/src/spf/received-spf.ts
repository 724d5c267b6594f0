/** The Received-SPF field value. RFC 7208 §9.1. Everything that came from outside is quoted. */
import type { SpfQuestion } from './check-spf.js';
import type { SpfResult } from './result.js';

const comments: { readonly [R in SpfResult['result']]: string } = {
  pass: 'client is permitted to send for the domain',
  fail: 'client is not permitted to send for the domain',
  softfail: 'domain believes the client is not permitted',
  neutral: 'domain says nothing about the client',
  none: 'domain publishes no usable record',
  temperror: 'DNS could not be asked',
  permerror: 'the record cannot be used',
};

export function receivedSpf(result: SpfResult, question: SpfQuestion & { readonly receiver: string }): string {
  const pairs = [
    ['receiver', question.receiver],
    ['identity', result.identity],
    ['client-ip', question.clientAddress],
    ['envelope-from', question.reversePath],
    ['helo', question.helo],
    ['mechanism', result.mechanism],
    ['problem', result.problem],
  ] as const;
  const listed = pairs
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${quoted(value ?? '')}`)
    .join('; ');
  return `${result.result} (${comments[result.result]}) ${listed}`;
}

function quoted(value: string): string {
  const text = value.slice(0, 320).replace(/[^\x20-\x7e]/g, '?');
  return /^[A-Za-z0-9!#$&'*+\-/=?^_`{|}~.]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

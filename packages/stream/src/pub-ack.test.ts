import { expect, test } from 'vitest';
import { readPubAck } from './pub-ack.js';

test.each([
  ['stored', '{"stream":"SPOOL","seq":7}', { kind: 'stored', sequence: 7, duplicate: false }],
  ['stored before', '{"stream":"SPOOL","seq":7,"duplicate":true}', { kind: 'stored', sequence: 7, duplicate: true }],
  ['proposed, not stored (2.10)', '{"stream":"SPOOL","seq":0,"duplicate":true}', { kind: 'again' }],
  [
    'proposed, not stored (later)',
    '{"error":{"code":409,"err_code":10158,"description":"in process"}}',
    { kind: 'again' },
  ],
  ['full', '{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}', { kind: 'refused' }],
  [
    'not written',
    '{"error":{"code":503,"err_code":10077,"description":"write 2.blk: no space left on device"}}',
    { kind: 'damaged' },
  ],
  ['no stream', '', { kind: 'again' }],
  ['no JSON', 'x', { kind: 'again' }],
  ['null', 'null', { kind: 'again' }],
])('%s', (_what, text, expected) => {
  expect(readPubAck(Buffer.from(text))).toMatchObject(expected);
});

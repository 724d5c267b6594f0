import { LaneClass } from '@postern/proto/mail/v1/item';
import { expect, test } from 'vitest';
import { failureWords } from './failure-words.js';

const { LOCAL, REMOTE, SMARTHOST } = LaneClass;
const late = 'It could not be delivered in time.';

test.each<[string, LaneClass, string, string | undefined]>([
  ['returned by the operator', REMOTE, 'returned by the operator', undefined],
  ['delivery time expired', REMOTE, late, undefined],
  [
    'delivery time expired, last: 4.4.1 connect ECONNREFUSED 127.0.0.1:2600 (127.0.0.1)',
    LOCAL,
    `${late} The server of example.org did not take the connection.`,
    undefined,
  ],
  [
    'delivery time expired, last: 4.4.1 connect ECONNREFUSED 203.0.113.5:25 (mx.example.org)',
    REMOTE,
    `${late} The server of example.org did not take the connection.`,
    '4.4.1 connect ECONNREFUSED 203.0.113.5:25 (mx.example.org)',
  ],
  ['could not connect in time', SMARTHOST, 'The server of example.org did not answer in time.', undefined],
  ['connect EHOSTUNREACH 10.0.0.1:25', LOCAL, 'The server of example.org could not be reached.', undefined],
  [
    'connection lost after the final dot: connection closed by the server',
    LOCAL,
    'The server of example.org broke the connection off.',
    undefined,
  ],
  [
    'delivery time expired, last: 450 4.2.1 try again (10.0.0.7)',
    LOCAL,
    `${late} The server of example.org said last: 450 4.2.1 try again`,
    undefined,
  ],
  [
    'delivery time expired, last: 450 4.2.1 try again (mx.example.org)',
    REMOTE,
    `${late} mx.example.org said last: 450 4.2.1 try again`,
    undefined,
  ],
  ['delivery time expired, last: 4.4.3 no mail exchanger found', REMOTE, `${late} no mail exchanger found`, undefined],
])('%s (%i)', (text, laneClass, words, diagnosis) => {
  const result = { address: 'Bob@example.org', replyText: text, enhancedCode: '4.4.1' };
  expect(failureWords(result, laneClass, false)).toEqual({
    words,
    ...(diagnosis === undefined ? {} : { diagnosis }),
  });
});

test('words of an operator or of a rule stay as they are', () => {
  const result = { address: 'bob@example.org', replyText: 'TLS was not offered in time', enhancedCode: '5.7.1' };
  expect(failureWords(result, REMOTE, false)).toEqual({ words: result.replyText });
});

test('an attempt whose failure is the last says that the time is over', () => {
  const result = { address: 'bob@example.org', replyText: 'connect ECONNREFUSED 127.0.0.1:1', enhancedCode: '4.4.1' };
  expect(failureWords(result, LOCAL, true).words).toBe(
    `${late} The server of example.org did not take the connection.`,
  );
});

import { ContentRequest, EvaluateRequest } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { readContentRequest } from './content-request.js';

const encoded = (request: ContentRequest): Buffer => Buffer.from(ContentRequest.encode(request).finish());

test.each([0, 1, 127, 128, 16_383, 16_384, 262_144, 2_097_152])(
  'a chunk of %d octets is a view, and the same',
  (size) => {
    const bytes = encoded({ kind: { $case: 'chunk', value: Buffer.alloc(size, 0x61) } });
    const read = readContentRequest(bytes);
    expect(read).toEqual(ContentRequest.decode(bytes));
    if (read.kind?.$case !== 'chunk') throw new Error('no chunk');
    expect(read.kind.value.buffer).toBe(bytes.buffer);
  },
);

test.each<[string, Buffer]>([
  ['a start', encoded({ kind: { $case: 'start', value: EvaluateRequest.fromPartial({ sessionId: 's' }) } })],
  ['an end', encoded({ kind: { $case: 'end', value: { size: 7, deadlineMs: 9 } } })],
  ['nothing', Buffer.alloc(0)],
  [
    'a chunk and what stands behind it',
    Buffer.concat([
      encoded({ kind: { $case: 'chunk', value: Buffer.from('abc') } }),
      encoded({ kind: { $case: 'end', value: { size: 3, deadlineMs: 0 } } }),
    ]),
  ],
  [
    'two chunks',
    Buffer.concat(['a', 'b'].map((text) => encoded({ kind: { $case: 'chunk', value: Buffer.from(text) } }))),
  ],
])('%s is read as the generated reader does', (_what, bytes) => {
  expect(readContentRequest(bytes)).toEqual(ContentRequest.decode(bytes));
});

test.each([[[0x12]], [[0x12, 0x05, 0x61]], [[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]], [[0x12, 0xff]]])(
  'what is cut off is refused: %j',
  (octets) => {
    expect(() => readContentRequest(Buffer.from(octets))).toThrow();
  },
);

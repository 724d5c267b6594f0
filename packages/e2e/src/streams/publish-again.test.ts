/** What is asked again says so, since the first try may have been stored. A subscriber stands for the stream: it leaves the first try unanswered. */
import { systemClock } from '@postern/clock';
import { connectStreams, createPublisher } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';

const nats = withNats();

test('only the second try carries the headers of a repetition, under the same id', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  const seen: (readonly [id: string | undefined, own: string | undefined, again: string | undefined])[] = [];
  connection.nats.subscribe('work.default.1', {
    callback: (_error, message) => {
      const { headers } = message;
      seen.push([headers?.get('Nats-Msg-Id'), headers?.get('X-Own'), headers?.get('Postern-Again')]);
      if (seen.length === 2) message.respond(JSON.stringify({ stream: 'WORK', seq: 1 }));
    },
  });
  await connection.nats.flush();
  const result = await createPublisher(connection, systemClock).publish('work.default.1', Buffer.from('x'), {
    msgId: 'one',
    tryMs: 50,
    headers: { 'X-Own': 'kept' },
    repeatHeaders: { 'Postern-Again': 'queue' },
  });
  expect(result).toMatchObject({ kind: 'stored', sequence: 1 });
  expect(seen).toEqual([
    ['one', 'kept', ''],
    ['one', 'kept', 'queue'],
  ]);
  await connection.close();
});

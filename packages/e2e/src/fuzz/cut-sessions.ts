/** Sessions that end in the middle: the client closes its half, or is gone at once. */
import { looseTransaction, type SessionContext } from './transactions.js';

export async function halfOpen(context: SessionContext): Promise<void> {
  const { client } = context;
  const stage = client.chance.between(0, 4);
  if (stage > 0 && !(await client.greet())) return client.hangUp();
  if (stage === 1) await client.say('MAIL FROM:<a@sender.te');
  if (stage === 2) await client.say('MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@fuzz.test>\r\nDATA\r\n');
  if (stage === 3) await looseTransaction(context, Buffer.from('Subject: half\r\n\r\nnothing more'));
  if (stage === 4) await looseTransaction(context, Buffer.from('Subject: half\r\n\r\nnothing more\r\n.'));
  await client.hangUp();
}

export async function abrupt(context: SessionContext): Promise<void> {
  const { client } = context;
  const stage = client.chance.between(0, 5);
  if (stage > 0 && !(await client.greet())) return client.abort();
  if (stage === 1) await client.say('MAIL FROM:<a@sender.test>\r\n');
  if (stage === 2) await client.say('MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@fuzz.test>\r\nDATA\r\n');
  if (stage === 3) await looseTransaction(context, client.chance.bytes(client.chance.between(1, 4_000)));
  if (stage === 4) await client.say('STARTTLS\r\n');
  if (stage === 5) await client.say(client.chance.bytes(5_000));
  client.abort();
}

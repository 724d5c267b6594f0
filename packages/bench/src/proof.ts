/** Before anything is counted: one message of the load is sent through a peer and followed to the sink, for the peer to look whether it was given the work that is claimed. */
import { SmtpSender, type SunkMessage } from '@postern/testkit/smtp';
import type { Peer } from './peer.js';

const patienceMs = 30_000;

export interface ProofLoad {
  readonly letter: { readonly from: string; readonly data: Buffer };
  readonly to: string;
  /** The next message the sink takes. */
  next(): Promise<SunkMessage>;
}

async function sendOne({ port, clientAddress }: Peer, { letter, to }: ProofLoad): Promise<string> {
  const sender = await SmtpSender.open({
    port,
    ...(clientAddress === undefined ? {} : { localAddress: clientAddress }),
  });
  await sender.greet();
  const reply = await sender.send({ ...letter, to: [to] });
  await sender.quit();
  const queueId = /queued as (\w+)/.exec(reply.text)?.[1];
  if (reply.code !== 250 || queueId === undefined) throw new Error(`not taken: ${reply.code} ${reply.text}`);
  return queueId;
}

export async function provePeer(peer: Peer, load: ProofLoad): Promise<void> {
  if (peer.prove === undefined) return;
  const arriving = load.next();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the message did not reach the sink')), patienceMs);
  });
  try {
    const queueId = await sendOne(peer, load);
    const { data } = await Promise.race([arriving, late]);
    await peer.prove({ queueId, arrived: data });
  } finally {
    clearTimeout(timer);
  }
}

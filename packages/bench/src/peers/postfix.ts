/** Peer `postfix-relay`: a real Postfix, queue file with fsync, relaying every message to the sink. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@postern/local';
import { startPostfix } from '@postern/testkit/neighbours';
import { type Peer, type PeerFactory, waitSunk } from '../peer.js';

export const postfixRelay: PeerFactory = {
  name: 'postfix-relay',
  async start(sinkPort): Promise<Peer> {
    const dir = await mkdtemp(join(tmpdir(), 'postern-bench-postfix-'));
    const postfix = await startPostfix({
      dir,
      port: await freePort(),
      mode: 'relay',
      relayHost: `127.0.0.1:${sinkPort}`,
    });
    return {
      name: 'postfix-relay',
      port: postfix.port,
      pids: () => Promise.resolve([postfix.pid]),
      drained: (sunk, expected) => waitSunk(sunk, expected),
      async stop() {
        await postfix.stop();
        await rm(dir, { recursive: true, force: true });
      },
    };
  },
};

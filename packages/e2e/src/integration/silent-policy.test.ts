/** One policy of two is silent, its connections open: it is given up in time to ask the other one, and new sessions go past it. */
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import { withMailWorld } from './mail-world.js';
import { freeze } from './process-trees.js';

const world = withMailWorld({ policies: 2 });

async function send(number: number): Promise<number> {
  const sender = await world.speak('mx');
  try {
    const [from, to] = ['x@good.test', 'bob@acme.test'];
    const data = buildMessage({ from, to, id: `silent-${number}` });
    return (await sender.send({ from, to: [to], data })).code;
  } finally {
    sender.destroy();
  }
}

test.each([0, 1])('policy-%i silent: no session is put off', { timeout: 120_000 }, async (which) => {
  const begun = Date.now();
  const thaw = await freeze(world.cluster, 'policy', which);
  try {
    // Longer than it takes to notice, and than a verdict may take.
    for (let number = 0; Date.now() - begun < 15_000; number++) expect(await send(number)).toBe(250);
  } finally {
    thaw();
  }
  await expect.poll(() => send(-1), { timeout: 20_000 }).toBe(250);
});

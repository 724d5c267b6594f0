/**
 * Killed between two durable steps of a batch (durability.md, 4 to 5a and 8a), where it is then in two places or under way twice. NATS is killed with it: no
 * Msg-Id of what was done with is remembered, and only `Postern-Again` keeps delivery from doing it twice.
 */
import { expect, test } from 'vitest';
import { envelopeOf, withArmedWorld } from './armed-world.js';

const world = withArmedWorld();

const carol = 'carol@acme.test';
const dave = 'dave@acme.test';
const minutes = { timeout: 300_000 };

/** Two mails that WORK takes over together. */
const twoOf = (name: string) => ({
  texts: [`${name}-one`, `${name}-two`] as const,
  mails: [envelopeOf(`${name}-one`, carol), envelopeOf(`${name}-two`, dave)] as const,
});

test.each<[string, (spool: () => Promise<void>) => Promise<() => Promise<void>>]>([
  [
    'one that waited for room was put back',
    async (spool) => {
      const died = await world.arm('queue.after-put-back');
      await spool();
      return died;
    },
  ],
  [
    'all of a batch that came back were put back',
    async (spool) => {
      const before = await world.stalls();
      await spool();
      await world.stalled(before + 1);
      return world.arm('queue.after-put-back');
    },
  ],
])('%s', minutes, async (label, reach) => {
  const name = label.replaceAll(' ', '-');
  const waits = envelopeOf(`${name}-waits`, carol, dave);
  const goes = envelopeOf(`${name}-goes`, carol);
  const bodies = await world.close('BODIES');
  const died = await reach(() => world.spool(waits, goes));
  await died();
  await world.arrived(`${name}-goes`);
  expect(world.arrivals(`${name}-waits`)).toBe(0);
  await world.killNats();
  await world.open(bodies);
  await world.atRest();
  expect([`${name}-goes`, `${name}-waits`].map(world.arrivals)).toEqual([1, 2]);
});

/** What WORK has had in the end: the items together; where that is forgotten the batch is left there, too, and goes as its single items. */
test.each([
  ['', 1],
  [', NATS killed', 4],
] as const)('WORK had the items of a batch%s', minutes, async (also, messages) => {
  const { texts, mails } = twoOf(`items${also.replaceAll(/\W+/g, '-')}`);
  const before = await world.workHad();
  const died = await world.arm('queue.after-work-publish');
  await world.spool(...mails);
  await died();
  await world.arrived(...texts);
  await world.empty('WORK');
  if (also !== '') await world.killNats();
  await world.atRest();
  expect(texts.map(world.arrivals)).toEqual([1, 1]);
  expect((await world.workHad()) - before).toBe(messages);
});

test('WORK had a batch that came back, NATS killed', minutes, async () => {
  const { texts, mails } = twoOf('left');
  const before = await world.workHad();
  const stalls = await world.stalls();
  const work = await world.close('WORK');
  await world.spool(...mails);
  await world.stalled(stalls + 1);
  const died = await world.arm('queue.after-leave');
  await world.open(work);
  await died();
  await world.killNats();
  await world.atRest();
  expect(texts.map(world.arrivals)).toEqual([1, 1]);
  // Left once: what is still in a stream is known to a server that was started again. And its items.
  expect((await world.workHad()) - before).toBe(3);
});

test('delivery had put back the items of a batch, NATS killed', minutes, async () => {
  const { texts, mails } = twoOf('apart');
  const before = await world.workHad();
  // Both have their mark, and are not acknowledged.
  const first = await world.arm('delivery.before-ack', 2);
  await world.spool(...mails);
  await first();
  const second = await world.arm('delivery.before-ack', 2);
  await second();
  const third = await world.arm('delivery.after-put-back');
  await third();
  await world.killNats();
  await world.atRest();
  expect(texts.map(world.arrivals)).toEqual([1, 1]);
  // The batch and its items; and again those that were done with when NATS was killed, which their marks absorb.
  expect([3, 4, 5]).toContain((await world.workHad()) - before);
});

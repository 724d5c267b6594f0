/** Large bodies on threads: the same digests as here, bounded, and a thread that dies or hangs takes only its bodies with it. */
import { systemClock } from '@postern/clock';
import { type BodyDigests, OwnDigests } from '@postern/mail-auth';
import { afterEach, expect, test } from 'vitest';
import { createDigestPool, type DigestPool } from './digest-pool.js';

const program = new URL('../../dist/content/digest-thread.js', import.meta.url);
const forms = [
  { form: 'relaxed', limit: undefined },
  { form: 'simple', limit: undefined },
  { form: 'relaxed', limit: 1_000 },
  { form: 'domainkeys', body: 'nofws', header: 'From:ann@a.test\r\n' },
] as const;
const line = Buffer.from('a line of  text with spaces \t and a tab \r\n'.repeat(500));
let pools: DigestPool[] = [];

function pool(options: { threads?: number; bodies?: number; program?: URL; patienceMs?: number } = {}) {
  const endings: string[] = [];
  const died: string[] = [];
  const made = createDigestPool({
    clock: systemClock,
    threads: 1,
    bodies: 10,
    patienceMs: 5_000,
    onEnded: (how) => endings.push(how),
    onThreadDied: (reason) => died.push(reason),
    program,
    ...options,
  });
  pools.push(made);
  return { made, endings, died };
}
afterEach(async () => {
  await Promise.all(pools.map((one) => one.stop()));
  pools = [];
});

const code = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

async function digest(into: BodyDigests, chunks = 20): Promise<Record<string, unknown>> {
  for (const form of forms) into.want(form);
  for (let at = 0; at < chunks; at++) await into.update(line);
  const made = await into.finish();
  return Object.fromEntries(
    [...made].map(([key, { octets, length }]) => [key, [Buffer.from(octets).toString('hex'), length]]),
  );
}

test.each([0, 1, 3])('with %d threads ten bodies at once have the digests they have here', async (threads) => {
  const { made, endings } = pool({ threads });
  const expected = await digest(new OwnDigests());
  const all = await Promise.all(Array.from({ length: 10 }, () => digest(made.open())));
  for (const one of all) expect(one).toEqual(expected);
  expect(endings).toEqual(Array.from({ length: 10 }, () => (threads === 0 ? 'inline' : 'thread')));
  expect(made.size).toBe(0);
});

test('a body beyond the bound is hashed here', async () => {
  const { made, endings } = pool({ bodies: 1 });
  const [one, other] = [made.open(), made.open()];
  one.want(forms[0]);
  other.want(forms[0]);
  one.update(line);
  expect(made.size).toBe(1);
  other.update(line);
  const octetsOf = async (body: BodyDigests) => (await body.finish()).get('relaxed ')?.octets;
  expect(Buffer.from((await octetsOf(other)) ?? [])).toEqual(Buffer.from((await octetsOf(one)) ?? []));
  expect(endings).toEqual(['inline', 'thread']);
});

test('what is on its way is bounded: the writer waits', async () => {
  const { made } = pool();
  const digests = made.open();
  digests.want(forms[0]);
  const waits = Array.from({ length: 100 }, () => digests.update(Buffer.alloc(65_536, 0x61)));
  expect(waits.slice(0, 10).every((wait) => wait === undefined)).toBe(true);
  expect(waits.at(-1)).toBeInstanceOf(Promise);
  await waits.at(-1);
  expect((await digests.finish()).get('relaxed ')?.length).toBe(6_553_602);
});

test.each([
  ['given away, goes as it is', 262_144, true, 0],
  ['kept by who gave it, is copied', 262_144, false, 262_144],
  ['given away but part of a pool, is copied', 4_096, true, 4_096],
])('a chunk that is %s', async (_what, size, isGiven, left) => {
  const { made } = pool();
  const [digests, expected] = [made.open(), new OwnDigests()];
  for (const one of [digests, expected]) one.want(forms[0]);
  // What framed it on the wire stands before it.
  const framed = Buffer.concat([Buffer.alloc(10), Buffer.alloc(size, 0x61)]);
  const chunk = size > 10_000 ? framed.subarray(10) : Buffer.from('a'.repeat(size));
  expected.update(chunk);
  digests.update(chunk, isGiven);
  expect(chunk.length).toBe(left);
  expect([...(await digests.finish()).values()].map(({ octets }) => Buffer.from(octets))).toEqual(
    [...expected.finish().values()].map(({ octets }) => Buffer.from(octets)),
  );
});

test('a thread that dies takes its bodies, no digest, and the next body has a new thread', async () => {
  const { made, endings, died } = pool({ program: code('throw new Error("out of memory")') });
  expect(await digest(made.open())).toEqual({});
  expect([endings, died]).toEqual([['died'], ['out of memory']]);
  expect(await digest(made.open())).toEqual({});
  expect(died).toHaveLength(2);
});

test('a thread that does not answer is given up', async () => {
  const { made, endings, died } = pool({ program: code('setInterval(() => {}, 1000)'), patienceMs: 100 });
  expect(await digest(made.open(), 200)).toEqual({});
  expect(endings).toEqual(['late', 'died']);
  expect(died).toEqual(['does not answer']);
});

test('a body nobody waits for is forgotten', async () => {
  const { made } = pool();
  const digests = made.open();
  digests.want(forms[0]);
  digests.update(line);
  expect(made.size).toBe(1);
  digests.drop();
  expect(made.size).toBe(0);
  expect((await digests.finish()).size).toBe(0);
});

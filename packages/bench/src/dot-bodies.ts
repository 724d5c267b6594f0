/**
 * `npm run bench:dots`: what the edge's reader of message bytes makes of bodies whose every line begins with a stuffed dot, beside
 * plain ones of the same line length, chunk by chunk as a socket gives them. The fastest of interleaved rounds, other work on the machine only makes slower; ends with an error where a dot-heavy body takes
 * more than twice the time of its plain one per byte on the wire (docs/benchmarks.md). The reader is the service's own file: bench is no part of it.
 */

import { systemClock } from '@postern/clock';
import { suiteOptions } from '@postern/testkit/suite';

suiteOptions({ name: 'bench:dots', takes: 'half a minute', defaults: {} });

interface Reader {
  feed(chunk: Buffer): number;
  readonly size: number;
}

interface ReaderModule {
  readonly DataReader: new (maxLine: number) => Reader;
}

const file = new URL('../../../services/edge/dist/smtp/line-policy.js', import.meta.url);
const { DataReader }: ReaderModule = await import(file.href);

const chunkSize = 64 * 1024;
const chunks = 256;
const rounds = 15;
const warmUps = 3;
const mostTimes = 2;

type Body = (octets: number) => string;
const dots: Body = (octets) => `..${'.'.repeat(octets - 2)}\r\n`;
const stuffed: Body = (octets) => `..${'x'.repeat(octets - 2)}\r\n`;
const plain: Body = (octets) => `${'x'.repeat(octets)}\r\n`;

/** MB on the wire a second. The reader takes dots out in place, so each pass gets a copy, made before the time is taken. */
function pass(source: Buffer): number {
  const copies = Array.from({ length: chunks }, () => Buffer.from(source));
  const reader = new DataReader(65_536);
  const begun = systemClock.monotonic();
  for (const chunk of copies) if (reader.feed(chunk) !== -1) throw new Error('the body ended early');
  const elapsedMs = systemClock.monotonic() - begun;
  if (reader.size === 0) throw new Error('nothing was read');
  return (chunks * source.length) / 1_000 / elapsedMs;
}

const cases = [2, 8, 30, 76].map((octets) => ({
  octets,
  bodies: [plain, stuffed, dots].map((body) => ({
    source: Buffer.from(body(octets).repeat(Math.floor(chunkSize / (octets + 2)))),
    rates: [] as number[],
  })),
}));

for (let round = -warmUps; round < rounds; round++)
  for (const { bodies } of cases)
    for (const { source, rates } of bodies) {
      const rate = pass(source);
      if (round >= 0) rates.push(rate);
    }

console.log(
  '| octets a line | plain MB/s | a stuffed dot and text | ratio | dots only | ratio |\n|---|---|---|---|---|---|',
);
let worst = 0;
for (const { octets, bodies } of cases) {
  const [base = 0, ...heavy] = bodies.map(({ rates }) => Math.max(...rates));
  const columns = heavy.map((rate) => `${Math.round(rate)} | ${(base / rate).toFixed(2)}`);
  console.log(`| ${octets} | ${Math.round(base)} | ${columns.join(' | ')} |`);
  worst = Math.max(worst, ...heavy.map((rate) => base / rate));
}
if (worst > mostTimes) {
  console.error(`a dot-heavy body takes ${worst.toFixed(2)} times as long as a plain one; at most ${mostTimes}`);
  process.exitCode = 1;
}

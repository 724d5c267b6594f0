/**
 * `npm run bench`: our cluster beside the bare library and a relaying Postfix, interleaved, on the same machine in the same run. CPU counts all processes,
 * NATS, Redis and PostgreSQL included. Only loopback is loaded; bounded by the number of messages.
 */
import { cpus, totalmem } from 'node:os';
import { suiteOptions } from '@postern/testkit/suite';
import { bare } from './peers/bare.js';
import { edgeAccept } from './peers/edge-accept.js';
import { haraka } from './peers/haraka.js';
import { posternFull, posternRelay, posternTwoWorkers } from './peers/postern.js';
import { postfixRelay } from './peers/postfix.js';
import { recipientOf } from './peers/profile.js';
import { type Case, printTable, runTable } from './table.js';

const values = suiteOptions({
  name: 'bench',
  takes: 'about 8 minutes with every peer; npm run bench:edge about 5',
  defaults: {
    peers: 'node-null,postfix-relay,postern,postern-full',
    messages: 4000,
    rounds: 3,
    warmup: 10000,
    cases: 'reuse:20:10,new:20:10',
  },
});
const known = new Map(
  [bare, edgeAccept, haraka, postfixRelay, posternRelay, posternTwoWorkers, posternFull].map((factory) => [
    factory.name,
    factory,
  ]),
);
const factories = values
  .text('peers')
  .split(',')
  .map((name) => {
    const factory = known.get(name);
    if (factory === undefined) throw new Error(`unknown peer ${name}; known: ${[...known.keys()].join(', ')}`);
    return factory;
  });
const cases = values
  .text('cases')
  .split(',')
  .map((text): Case => {
    const [mode, sessions, kib] = text.split(':');
    return {
      mode: mode === 'new' ? 'new' : 'reuse',
      sessions: Number(sessions),
      size: Number(kib) * 1024,
      messages: values.number('messages'),
    };
  });
const { samples, idleMiB } = await runTable({
  factories,
  cases,
  rounds: values.number('rounds'),
  warmup: values.number('warmup'),
  to: recipientOf,
  say: (line) => console.error(line),
});
console.log(
  `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`,
);
console.log(
  printTable(
    samples,
    values.text('peers').includes('postfix-relay') ? 'postfix-relay' : (factories[0]?.name ?? ''),
    idleMiB,
  ),
);

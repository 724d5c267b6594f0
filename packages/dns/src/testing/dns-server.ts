/**
 * A real DNS server on loopback, UDP and TCP on one port, that serves a test zone and misbehaves on request:
 * no answer, SERVFAIL, REFUSED, delay, truncation over UDP, garbage, an answer to another question.
 * TXT longer than 255 octets is split. Only for tests and local runs.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { decode, encode, TRUNCATED_RESPONSE } from 'dns-packet';
import type { RecordType } from '../records.js';
import { writeReply } from '../reply-writer.js';
import { createZone, isRecordType, Zone, type ZoneData } from './zone.js';

export type Behaviour =
  | { readonly kind: 'servfail' | 'refused' | 'timeout' | 'truncate' | 'garbage' | 'wrong-id' | 'wrong-question' }
  | { readonly kind: 'delay'; readonly ms: number };

export interface ServerQuery {
  readonly name: string;
  /** As it came, with its letter case. */
  readonly rawName: string;
  readonly type: string;
  readonly transport: 'udp' | 'tcp';
}

export interface TestDnsServer {
  readonly address: string;
  readonly port: number;
  /** `127.0.0.1:5353`, as the client's options want it. */
  readonly server: string;
  readonly zone: Zone;
  readonly queries: ServerQuery[];
  /** For one name, or for every name with '*'. `times` questions, then normal again; without it, until changed. */
  script(name: string, behaviour: Behaviour | undefined, times?: number): void;
  stop(): Promise<void>;
}

interface Script {
  readonly behaviour: Behaviour;
  left: number;
}

type Send = (octets: Buffer) => void;

const MAX_UDP = 1232;

export async function startDnsServer(
  zoneOrData: Zone | ZoneData = {},
  options: { readonly port?: number; readonly address?: string } = {},
): Promise<TestDnsServer> {
  const zone = zoneOrData instanceof Zone ? zoneOrData : createZone(zoneOrData);
  const address = options.address ?? '127.0.0.1';
  const queries: ServerQuery[] = [];
  const scripts = new Map<string, Script>();
  const timers = new Set<NodeJS.Timeout>();
  const connections = new Set<Socket>();

  const behaviourFor = (name: string): Behaviour | undefined => {
    const key = scripts.has(name) ? name : '*';
    const script = scripts.get(key);
    if (script === undefined) return undefined;
    script.left--;
    if (script.left <= 0) scripts.delete(key);
    return script.behaviour;
  };
  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  };
  const answer = (octets: Buffer, transport: 'udp' | 'tcp', send: Send): void => {
    const asked = readQuestion(octets);
    if (asked === undefined) return;
    const name = asked.rawName.toLowerCase();
    queries.push({ name, rawName: asked.rawName, type: asked.type, transport });
    const behaviour = behaviourFor(name);
    if (behaviour?.kind === 'timeout') return;
    const reply = replyTo(zone, asked, name, transport, behaviour);
    if (reply === undefined) return;
    if (behaviour?.kind === 'delay') later(behaviour.ms, () => send(reply));
    else send(reply);
  };

  const tcp = createServer((socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    socket.on('error', () => socket.destroy());
    let pending: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= pending.readUInt16BE(0) + 2) {
        const length = pending.readUInt16BE(0);
        answer(pending.subarray(2, length + 2), 'tcp', (octets) => {
          if (socket.destroyed) return;
          const prefix = Buffer.alloc(2);
          prefix.writeUInt16BE(octets.length, 0);
          socket.write(Buffer.concat([prefix, octets]));
        });
        pending = pending.subarray(length + 2);
      }
    });
  });
  const { udp, port } = await listenOnBoth(tcp, address, options.port ?? 0);
  let running = true;
  udp.on('message', (octets, from) =>
    answer(octets, 'udp', (reply) => {
      if (running) udp.send(reply, from.port, from.address);
    }),
  );
  udp.on('error', () => undefined);

  return {
    address,
    port,
    server: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    zone,
    queries,
    script(name, behaviour, times = Number.POSITIVE_INFINITY) {
      if (behaviour === undefined) scripts.delete(name);
      else scripts.set(name, { behaviour, left: times });
    },
    async stop() {
      if (!running) return;
      running = false;
      for (const timer of timers) clearTimeout(timer);
      for (const socket of connections) socket.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(() => resolve())),
        new Promise<void>((resolve) => tcp.close(() => resolve())),
      ]);
    },
  };
}

/** A free port may be free for TCP and taken for UDP: a few tries find one free for both. */
async function listenOnBoth(
  tcp: Server,
  address: string,
  wanted: number,
): Promise<{ readonly udp: DatagramSocket; readonly port: number }> {
  for (let attempt = 0; ; attempt++) {
    const port = await new Promise<number>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(wanted, address, () => {
        tcp.removeListener('error', reject);
        const bound = tcp.address();
        resolve(bound !== null && typeof bound === 'object' ? bound.port : wanted);
      });
    });
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        udp.once('error', reject);
        udp.bind(port, address, () => {
          udp.removeListener('error', reject);
          resolve();
        });
      });
      return { udp, port };
    } catch (error) {
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
      if (wanted !== 0 || attempt >= 4) throw error;
    }
  }
}

interface Asked {
  readonly id: number;
  readonly rawName: string;
  readonly type: string;
}

function readQuestion(octets: Buffer): Asked | undefined {
  try {
    const packet = decode(octets);
    const question = packet.questions?.[0];
    if (packet.flag_qr || question === undefined) return undefined;
    return { id: packet.id ?? 0, rawName: question.name === '.' ? '' : question.name, type: question.type };
  } catch {
    return undefined;
  }
}

function replyTo(
  zone: Zone,
  asked: Asked,
  name: string,
  transport: 'udp' | 'tcp',
  behaviour: Behaviour | undefined,
): Buffer | undefined {
  if (!isRecordType(asked.type)) {
    return encode({ type: 'response', id: asked.id, flags: 4, questions: [] });
  }
  if (behaviour?.kind === 'garbage') {
    const garbage = Buffer.alloc(40, 0xc0);
    garbage.writeUInt16BE(asked.id, 0);
    garbage.writeUInt16BE(0x8000, 2);
    return garbage;
  }
  const question = {
    name: behaviour?.kind === 'wrong-question' ? 'other.invalid' : asked.rawName,
    type: asked.type,
  };
  const id = behaviour?.kind === 'wrong-id' ? (asked.id + 1) & 0xffff : asked.id;
  if (behaviour?.kind === 'servfail') return failed(id, question, 2);
  if (behaviour?.kind === 'refused') return failed(id, question, 5);
  const { aliases, result } = zone.lookup(name, asked.type);
  if (result.kind === 'servfail') return failed(id, question, 2);
  if (result.kind === 'refused') return failed(id, question, 5);
  if (result.kind !== 'answer' && result.kind !== 'nodata' && result.kind !== 'nxdomain') return undefined;
  const reply = {
    id,
    question,
    rcode: result.kind === 'nxdomain' ? 3 : 0,
    aliases,
    records: result.kind === 'answer' ? result.records : [],
    negativeTtl: result.kind === 'answer' ? undefined : result.ttl,
    authenticated: result.authenticated,
  };
  const octets = writeReply(reply);
  if (transport === 'tcp' || (behaviour?.kind !== 'truncate' && octets.length <= MAX_UDP)) return octets;
  return writeReply({ ...reply, aliases: [], records: [], negativeTtl: undefined, flags: TRUNCATED_RESPONSE });
}

function failed(id: number, question: { readonly name: string; readonly type: RecordType }, rcode: number): Buffer {
  return writeReply({ id, question, rcode, aliases: [], records: [], authenticated: false });
}

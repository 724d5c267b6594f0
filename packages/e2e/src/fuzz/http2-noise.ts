/** Connections to a gRPC port that are wrong below gRPC: no HTTP/2 at all, or frames that break RFC 9113. The server may close or ignore them. */
import { connect } from 'node:net';
import type { Chance } from './random.js';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

function http2Frame(type: number, flags: number, stream: number, payload: Buffer, length = payload.length): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

const settings = http2Frame(4, 0, 0, Buffer.alloc(0));
const many = (count: number, one: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => one(index)));

export function noise(chance: Chance): Buffer {
  const begun = Buffer.concat([preface, settings]);
  const choices: readonly [() => Buffer, ...(() => Buffer)[]] = [
    () => chance.bytes(chance.between(1, 3_000)),
    () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    () => Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]),
    () => preface.subarray(0, chance.between(1, preface.length)),
    () => Buffer.concat([preface, chance.bytes(500)]),
    // A length far beyond SETTINGS_MAX_FRAME_SIZE.
    () => Buffer.concat([begun, http2Frame(0, 0, 1, Buffer.alloc(10), 0xffffff)]),
    // DATA and HEADERS on stream 0, on an even stream, on a closed one.
    () => Buffer.concat([begun, http2Frame(0, 0, 0, Buffer.alloc(4))]),
    () => Buffer.concat([begun, http2Frame(1, 4, 2, chance.bytes(20))]),
    () => Buffer.concat([begun, http2Frame(1, 4, 1, chance.bytes(200))]),
    // HEADERS without end, then CONTINUATION on and on, then something else.
    () =>
      Buffer.concat([
        begun,
        http2Frame(1, 0, 1, Buffer.alloc(0)),
        many(500, () => http2Frame(9, 0, 1, chance.bytes(60))),
      ]),
    () => Buffer.concat([begun, http2Frame(1, 0, 1, Buffer.alloc(0)), http2Frame(6, 0, 0, Buffer.alloc(8))]),
    // Many opened and reset at once (CVE-2023-44487), pings, settings, window updates.
    () =>
      Buffer.concat([
        begun,
        many(300, (index) =>
          Buffer.concat([
            http2Frame(1, 4, 2 * index + 1, Buffer.from([0x83, 0x86, 0x84, 0x01, 0x01, 0x78])),
            http2Frame(3, 0, 2 * index + 1, Buffer.from([0, 0, 0, 8])),
          ]),
        ),
      ]),
    () => Buffer.concat([begun, many(1_000, () => http2Frame(6, 0, 0, chance.bytes(8)))]),
    () => Buffer.concat([begun, many(500, () => http2Frame(4, 0, 0, chance.bytes(6)))]),
    () => Buffer.concat([begun, http2Frame(4, 0, 0, chance.bytes(7))]),
    () => Buffer.concat([begun, http2Frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))]),
    () => Buffer.concat([begun, http2Frame(8, 0, 0, Buffer.alloc(4))]),
    () => Buffer.concat([begun, http2Frame(7, 0, 0, chance.bytes(8))]),
    () => Buffer.concat([begun, http2Frame(chance.between(10, 255), 255, chance.between(0, 9), chance.bytes(30))]),
  ];
  return chance.pick(choices)();
}

/** Says it, waits shortly for the server to close, then resets. */
export function sayNoise(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(bytes));
    const timer = setTimeout(() => socket.resetAndDestroy(), 300);
    socket.on('data', () => undefined);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

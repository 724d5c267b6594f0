/**
 * Reads the PROXY header from a socket before anything else does, and gives back what follows it. `required`: no header in time or another
 * byte first ends the connection. `optional` (a trusted peer on a listener without the setting): half a second of silence or another byte means a
 * direct client. A header that has begun has the whole time in both cases; half of one is never read as the client's first words.
 */
import type { Socket } from 'node:net';
import type { Clock } from '@postern/clock';
import { type Reply, replies } from '@postern/smtp-core';
import { type ProxyHeader, parseProxyHeader } from './proxy-header.js';

export type ProxyExpectation = 'none' | 'optional' | 'required';

export type ProxyReading =
  | { readonly kind: 'direct' }
  | { readonly kind: 'proxied'; readonly header: Extract<ProxyHeader, { kind: 'present' }> }
  /** `reply`: what the proxy is told; undefined where nobody is there any more. */
  | { readonly kind: 'failed'; readonly reason: string; readonly reply?: Reply };

export const noHeader = 'no PROXY header';

/** The peer went away, or we did. */
export const goneBeforeHeader = 'connection closed';

const halfHeader = 'half a PROXY header';

/** How long a balancer may take to send the header. */
const requiredWaitMs = 5_000;
/** How long a trusted peer that need not send one is waited for until it begins. */
const optionalWaitMs = 500;

const failed = (reason: string): ProxyReading => ({
  kind: 'failed',
  reason,
  reply: reason === noHeader ? replies.proxyMissing : replies.proxyMalformed,
});

export function readProxyHeader(
  socket: Socket,
  expectation: 'optional' | 'required',
  clock: Clock,
): Promise<ProxyReading> {
  return new Promise((resolve) => {
    let held: Buffer = Buffer.alloc(0);
    const finish = (reading: ProxyReading, consumed: number): void => {
      silence?.cancel();
      whole.cancel();
      socket.off('readable', onReadable);
      socket.off('error', onGone);
      socket.off('close', onGone);
      socket.off('end', onGone);
      // From here on another listener owns the socket; until it is there a late error must not end the process.
      socket.on('error', () => undefined);
      if (consumed < held.length) socket.unshift(held.subarray(consumed));
      resolve(reading);
    };
    const otherwise = (reason: string): void =>
      finish(expectation === 'required' ? failed(reason) : { kind: 'direct' }, 0);
    const onGone = (): void => finish({ kind: 'failed', reason: goneBeforeHeader }, held.length);
    const onReadable = (): void => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
        const header = parseProxyHeader(held);
        if (header.kind === 'incomplete') continue;
        if (header.kind === 'present') finish({ kind: 'proxied', header }, header.length);
        else if (header.kind === 'invalid') finish(failed(header.reason), 0);
        else otherwise(noHeader);
        return;
      }
    };
    const fail = (reason: string): void => finish(failed(reason), held.length);
    const whole = clock.setTimer(requiredWaitMs, () => fail(held.length > 0 ? halfHeader : noHeader), { unref: true });
    const silence =
      expectation === 'optional'
        ? clock.setTimer(optionalWaitMs, () => held.length === 0 && otherwise(noHeader), { unref: true })
        : undefined;
    socket.on('readable', onReadable);
    socket.on('error', onGone);
    socket.on('close', onGone);
    socket.on('end', onGone);
  });
}

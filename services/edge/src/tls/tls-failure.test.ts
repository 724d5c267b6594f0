import { expect, test } from 'vitest';
import { tlsFailure } from './tls-failure.js';

const openssl = (reason: string, more = ''): string =>
  `00F8A1:error:0A0000C1:SSL routines:tls_post_process:${reason}:../deps/openssl/openssl/ssl/statem/statem_srvr.c:2220:${more}\n`;

test.each([
  [openssl('no shared cipher'), 'no shared cipher'],
  [openssl('tlsv1 alert unknown ca', 'SSL alert number 48'), 'tlsv1 alert unknown ca'],
  [openssl('peer did not return a certificate'), 'no client certificate'],
  [openssl('http request'), 'HTTP where a TLS handshake was due'],
  ['Socket closed while initiating TLS', 'Socket closed while initiating TLS'],
])('%j is told as %s', (message, told) => expect(tlsFailure(message)).toBe(told));

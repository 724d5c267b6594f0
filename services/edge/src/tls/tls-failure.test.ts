import { expect, test } from 'vitest';
import { tlsFailure } from './tls-failure.js';

const openssl = (reason: string, more = ''): string =>
  `00F8A1:error:0A0000C1:SSL routines:tls_post_process:${reason}:../deps/openssl/openssl/ssl/statem/statem_srvr.c:2220:${more}\n`;

test.each<[string, string, string?]>([
  [openssl('no shared cipher'), 'no shared cipher'],
  [openssl('tlsv1 alert unknown ca', 'SSL alert number 48'), 'tlsv1 alert unknown ca'],
  [openssl('peer did not return a certificate'), 'no client certificate'],
  [openssl('http request'), 'HTTP where a TLS handshake was due'],
  ['Socket closed while initiating TLS', 'connection closed before the handshake was over'],
  [
    'Client network socket disconnected before secure TLS connection was established',
    'connection closed before the handshake was over',
    'ECONNRESET',
  ],
  ['read ECONNRESET', 'connection reset before the handshake was over', 'ECONNRESET'],
  [
    'self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
    'the client certificate is self-signed and not itself in tls.clientCaFile',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
  ],
  [
    'unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
    'the client certificate is of no authority in tls.clientCaFile',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  ['certificate has expired', 'the client certificate has expired', 'CERT_HAS_EXPIRED'],
  ['a new word; if the root CA is installed locally, try running Node.js with x', 'a new word', 'NEW_CODE'],
])('%j is told as %s', (message, told, code) => expect(tlsFailure(message, code)).toBe(told));

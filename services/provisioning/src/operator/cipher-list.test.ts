import { expect, test } from 'vitest';
import { unknownWords, weakSuites } from './cipher-list.js';

test.each<[string, RegExp]>([
  ['aNULL:@SECLEVEL=0', /^names suites without authentication.* \(aNULL\); expected them left out, by !aNULL$/],
  ['HIGH:@SECLEVEL=0', /without authentication.* \(@SECLEVEL=0\)/],
  ['HIGH:ADH', /without authentication.* \(ADH\)/],
  ['ECDHE+AESGCM:AECDH:@SECLEVEL=0', /without authentication.* \(AECDH\)/],
  ['ADH-AES256-GCM-SHA384', /without authentication/],
  ['NULL-SHA256', /without encryption \(NULL-SHA256\); expected them left out, by !eNULL$/],
  ['HIGH:!aNULL:eNULL', /without encryption \(eNULL\)/],
  ['HIGH:!aNULL:COMPLEMENTOFALL', /without encryption/],
])('%s is refused', (ciphers, expected) => expect(weakSuites(ciphers)).toMatch(expected));

test.each([
  '',
  'HIGH',
  'DEFAULT',
  'HIGH:!aNULL:@SECLEVEL=0',
  'ALL:ADH:!aNULL:!eNULL',
  'ECDHE+AESGCM:ECDHE+CHACHA20',
  'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES256-GCM-SHA384',
  'TLS_AES_128_GCM_SHA256',
])('%j is taken', (ciphers) => expect(weakSuites(ciphers)).toBeUndefined());

test.each<[string, string[]]>([
  ['HIGH:FOO', ['FOO']],
  ['ECDHE+FOO:!BAR:HIGH', ['FOO', 'BAR']],
  ['HIGH:!aNULL:!eNULL:!MD5:!RC4:!EXPORT:!DES:!3DES:!PSK:@STRENGTH', []],
  ['ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE+AESGCM:kRSA+AES128:DES-CBC3-SHA', []],
  ['TLS_AES_128_GCM_SHA256:HIGH:@SECLEVEL=2', []],
  ['', []],
])('of %j means nothing: %j', (ciphers, expected) => expect(unknownWords(ciphers)).toEqual(expected));

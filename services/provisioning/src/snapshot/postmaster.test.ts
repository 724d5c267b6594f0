import { describe, expect, test } from 'vitest';
import { parseOperatorDocument } from '../operator/document.js';
import { postmasterOf } from './postmaster.js';

const hosted = (...names: string[]) =>
  names.map((name) => {
    const settings = { next_hop: '', validate_recipients: true, catch_all: '', dkim_keys: [] };
    return { name, tenant: name.slice(0, name.indexOf('.')), ...settings };
  });

const chosen = (text: string, hostname: string, names: readonly string[], oldest: string | null = null) =>
  postmasterOf(parseOperatorDocument([{ file: 'op.yaml', text }]), hostname, {
    domains: hosted(...names),
    oldest_domain: oldest,
  });

describe('postmaster without a domain', () => {
  const file = `defaultNextHop: hop
nextHops: { hop: { hosts: [{ host: 127.0.0.1 }] } }
tenants:
  - { name: none }
  - { name: gone, domains: [{ name: gone.test }] }
  - { name: zulu, domains: [{ name: zulu.test }] }
  - { name: bravo, domains: [{ name: bravo.test }] }
`;
  const names = ['aaa.test', 'bravo.test', 'demo.test', 'zulu.test'];

  test.each([
    ['the setting, in its usual form', 'postmaster: Ops@DEMO.test', 'mail.zulu.test', 'ops@demo.test'],
    ['a setting elsewhere is none', 'postmaster: ops@far.test', 'mail.demo.test', 'postmaster@demo.test'],
    ['the host name itself', '', 'Demo.Test', 'postmaster@demo.test'],
    ['a parent of the host name', '', 'mx.mail.demo.test', 'postmaster@demo.test'],
    ['no domain that only ends alike', '', 'notdemo.test', 'postmaster@zulu.test'],
    ['a host name of one label: the first of the file that is hosted', '', 'pod-1', 'postmaster@zulu.test'],
  ])('%s', (_name, setting, hostname, address) => {
    expect(chosen(`${file}${setting}`, hostname, names, 'aaa.test')).toBe(address);
  });

  test('the nearest parent of several', () => {
    expect(chosen('', 'a.mail.demo.test', ['demo.test', 'mail.demo.test'], 'demo.test')).toBe(
      'postmaster@mail.demo.test',
    );
  });

  test('a domain of the file that another tenant has by now is passed over', () => {
    const text =
      'tenants: [{ name: first, domains: [{ name: demo.test, nextHop: h }] }]\nnextHops: { h: { hosts: [{ host: 127.0.0.1 }] } }';
    expect(chosen(text, 'mx.example.test', ['aaa.test', 'demo.test'], 'aaa.test')).toBe('postmaster@aaa.test');
  });

  test('without anything in the file the oldest, and nobody where none is hosted', () => {
    expect(chosen('', 'mx.example.test', names, 'demo.test')).toBe('postmaster@demo.test');
    expect(chosen('postmaster: ops@demo.test', 'mx.example.test', [])).toBe('');
  });
});

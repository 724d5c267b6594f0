import { expect, test } from 'vitest';
import { welcome } from './welcome.js';

const run = {
  supervisor: { pid: 1, identity: undefined },
  listeners: {
    mx: ['127.0.0.1:2525'],
    submission: ['127.0.0.1:2587'],
    submissions: ['127.0.0.1:2465'],
    own: ['[::1]:9'],
  },
  services: [],
  infrastructure: [],
  provisioning: { address: '', keyFile: '' },
  ca: '/home/a/.postern/tls/ca.crt',
  demo: { domain: 'demo.test', user: 'alice@demo.test', passwordFile: '/home/a/.postern/secrets/demo.password' },
};

test('paths are short where the person stands, and the columns are straight', () => {
  const text = welcome(run, '/home/a/.postern', '/home/a', false);
  expect(text).toContain('mx 127.0.0.1:2525, submission 127.0.0.1:2587, submissions 127.0.0.1:2465, own [::1]:9\n');
  expect(text).toContain('password in .postern/secrets/demo.password');
  const columns = text.split('\n').filter((line) => /^ {2}(npx --offline posternctl|\.postern\/)/.test(line));
  expect(columns).toHaveLength(5);
  expect(new Set(columns.map((line) => /^ {2}.*? {3,}/.exec(line)?.[0].length)).size).toBe(1);
  expect(text).toContain('Ctrl-C drains and stops');
});

test('every example has an author, and shows the reply with the id', () => {
  const examples = welcome(run, '/data', '/home/a', true)
    .split('\n')
    .filter((line) => /^ {2}(?:printf|python3)/.test(line));
  expect(examples).toHaveLength(2);
  for (const example of examples) {
    expect(example).toMatch(/'From: you@example\.org(?:\\r)?\\n/);
    expect(example).toMatch(/curl -v |set_debuglevel\(1\)/);
  }
});

test('a listener that is switched off is not said to serve', () => {
  const text = welcome(run, '/data', '/home/a', true, ['own']);
  expect(text).toContain('submissions 127.0.0.1:2465, own is switched off\n');
  expect(text).not.toContain('[::1]:9');
});

test('another folder is named in every command', () => {
  const text = welcome(run, '/data', '/home/a', true);
  expect(text).toMatch(/^ {2}npx --offline posternctl --data \/data status /m);
  expect(text).toMatch(/^Stop it with: npm start -- --stop --data \/data$/m);
});

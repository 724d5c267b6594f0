/** Limits of messages that operator and tenant set by posternctl hold over all edges, within two seconds, and are taken back the same way (row C2). */
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';

const world = withMailWorld({ edges: 2 });
const whole = { timeout: 120_000 };
const effective = { timeout: 10_000, interval: 100 };
let number = 0;

async function send(login: string, edge: number): Promise<string> {
  const sender = await world.speak('submissions', { login, edge });
  try {
    const from = `${login}@acme.test`;
    const data = buildMessage({ from, to: 'carol@acme.test', id: `limited-${++number}` });
    const { code, text } = await sender.send({ from, to: ['carol@acme.test'], data });
    return `${code} ${text}`;
  } finally {
    sender.destroy();
  }
}

async function limit(...args: string[]): Promise<void> {
  const { code, stderr } = await world.cluster.ctl('tenant', 'limit', 'acme', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

const limitsOf = (subject: string): Promise<string> =>
  world.cluster.ctl('limit', 'show', subject).then(({ stdout }) => stdout);

test('a tenant may submit so much over both edges, whoever submits', whole, async () => {
  await limit('--messages', '3', '--per', '1d');
  await vi.waitFor(async () => expect(await limitsOf('acme')).toMatch(/tenant +messages +0 +3/), effective);
  const answers: string[] = [];
  for (const [index, login] of ['bob', 'carol', 'dave', 'bob', 'carol'].entries())
    answers.push(await send(login, index % 2));
  expect(answers.map((answer) => answer.slice(0, 9))).toEqual([
    ...Array.from({ length: 3 }, () => expect.stringMatching(/^250 /)),
    '450 4.7.1',
    '450 4.7.1',
  ]);
  await limit('--none');
  await vi.waitFor(async () => expect(await send('bob', 1)).toMatch(/^250 /), effective);
});

test('each user may submit so much over both edges, and nobody answers for another', whole, async () => {
  await limit('--each-user', '--messages', '2', '--per', '1d');
  await vi.waitFor(
    async () => expect(await limitsOf('dave@acme.test')).toMatch(/user, by its tenant +messages +0 +2/),
    effective,
  );
  const answers: string[] = [];
  for (const edge of [0, 1, 0]) answers.push((await send('dave', edge)).slice(0, 3));
  expect(answers).toEqual(['250', '250', '450']);
  expect(await send('carol', 1)).toMatch(/^250 /);
  await limit('--each-user', '--none');
});

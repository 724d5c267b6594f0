import { expect, test } from 'vitest';
import { type Host, processHost } from './host.js';
import { main } from './main.js';

class NotedHost implements Host {
  readonly lines: string[] = [];
  readonly codes: number[] = [];
  readonly nodeVersion: string;
  constructor(nodeVersion: string) {
    this.nodeVersion = nodeVersion;
  }
  onSignal = () => undefined;
  onFault = () => undefined;
  complain = (line: string) => void this.lines.push(line);
  exit = (code: number) => void this.codes.push(code);
}

test.each(['18.20.0', '20.20.2', '23.11.1'])(
  'Node %s: one line with the way out, and nothing runs',
  async (version) => {
    const host = new NotedHost(version);
    let runs = 0;
    await main(async () => runs++, host);
    expect(runs).toBe(0);
    expect(host.codes).toEqual([1]);
    expect(host.lines).toEqual([
      expect.stringMatching(
        /^needs Node 24 or newer, and this is [\d.]+\. Way out: npm start, .*node_modules\/\.bin\/node/,
      ),
    ]);
  },
);

test.each(['24.0.0', '26.10.0', processHost.nodeVersion])('Node %s runs the program', async (version) => {
  const host = new NotedHost(version);
  let runs = 0;
  await main(async () => runs++, host);
  expect([runs, host.codes, host.lines]).toEqual([1, [], []]);
});

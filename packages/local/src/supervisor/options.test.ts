import { describe, expect, test } from 'vitest';
import { parseStartOptions } from './options.js';

describe('options of npm start', () => {
  test('none given: one of each, the default folder beside where the person stands', () => {
    expect(parseStartOptions([], '/home/a')).toEqual({
      action: 'run',
      edges: 1,
      policies: 1,
      configFile: undefined,
      dataDir: '/home/a/.postern',
      dns: undefined,
      portBase: 2000,
    });
  });

  test('all given', () => {
    const args = [
      '--detach',
      '--edges',
      '2',
      '--policies=3',
      '--config',
      'my.yaml',
      '--data',
      '/d',
      '--dns',
      '127.0.0.1:5353',
      '--port-base',
      '3000',
    ];
    expect(parseStartOptions(args, '/home/a')).toEqual({
      action: 'detach',
      edges: 2,
      policies: 3,
      configFile: '/home/a/my.yaml',
      dataDir: '/d',
      dns: '127.0.0.1:5353',
      portBase: 3000,
    });
  });

  test.each([
    [['--edges', '0'], '--edges is `0`; allowed is a whole number from 1 to 16.'],
    [['--edges', '2x'], '--edges is `2x`'],
    [['--policies', '-1'], 'policies'],
    [['--dns', '127.0.0.1'], '--dns is `127.0.0.1`; allowed is HOST:PORT'],
    [['--dns', 'host:70000'], '--dns is `host:70000`'],
    [['--port-base', '65000'], '--port-base is `65000`'],
    [['--edge', '2'], "Unknown option '--edge'"],
    [['extra'], "Unexpected argument 'extra'"],
    [['--detach', '--stop'], '--detach and --stop exclude each other.'],
  ])('%j is refused in one line', (args, message) => {
    expect(() => parseStartOptions(args, '/')).toThrow(message);
    expect(() => parseStartOptions(args, '/')).toThrow(/^[^\n]*Way out: [^\n]+$/);
  });
});

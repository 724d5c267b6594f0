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
    [['--policies', '-1'], '--policies is `-1`; allowed is a whole number from 1 to 16.'],
    [['--port-base', '-1'], '--port-base is `-1`; allowed is a whole number from 600 to 64900.'],
    [['--port-base', '--check'], "Option '--port-base' argument missing. Way out:"],
    [['--dns', '127.0.0.1'], '--dns is `127.0.0.1`; allowed is HOST:PORT'],
    [['--dns', 'host:70000'], '--dns is `host:70000`'],
    [['--port-base', '65000'], '--port-base is `65000`'],
    [['--edge', '2'], "Unknown option '--edge' (did you mean --edges?). Way out:"],
    [['--port_base=3'], "Unknown option '--port_base' (did you mean --port-base?)."],
    [['-x'], "Unknown option '-x'. Way out:"],
    [['extra'], "Unexpected argument 'extra'. Way out:"],
    [['detach'], "Unexpected argument 'detach' (did you mean --detach?)."],
    [['--data'], "Option '--data <value>' argument missing. Way out:"],
    [['--detach', '--stop'], '--detach and --stop exclude each other.'],
  ])('%j is refused in one line', (args, message) => {
    expect(() => parseStartOptions(args, '/')).toThrow(message);
    expect(() => parseStartOptions(args, '/')).toThrow(/^[^\n]*Way out: [^\n]+$/);
  });

  test.each([[['-h']], [['--help']]])('%j asks for help', (args) => {
    expect(parseStartOptions(args, '/').action).toBe('help');
  });

  test.each([
    [{ npm_config_stop: 'true' }, '--stop', 'npm start -- --stop'],
    [{ npm_config_port_base: '3000' }, '--port-base', 'npm start -- --port-base 3000'],
    [{ npm_config_edges: 'true' }, '--edges', 'npm start -- --edges ...'],
  ])('%j: what npm took for its own is not passed over', (environment, option, way) => {
    expect(() => parseStartOptions([], '/', environment)).toThrow(
      `npm took ${option} for an option of its own. Way out: options of Postern come after \`--\`: \`${way}\`.`,
    );
  });
});

import { FakeClock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import { type CapturedTelemetry, captureTelemetry } from '@postern/telemetry/testing';
import { describe, expect, test } from 'vitest';
import type { Host, StopSignal } from './host.js';
import { main } from './main.js';
import { runService, type Service } from './run-service.js';

interface Stage {
  readonly telemetry: CapturedTelemetry;
  readonly clock: FakeClock;
  readonly calls: string[];
  readonly complaints: string[];
  readonly exits: number[];
  readonly signal: (name: StopSignal) => void;
  readonly fault: (error: unknown) => void;
  readonly ended: Promise<number>;
  states(): unknown[];
}

function stage(parts: Partial<Service> = {}): Stage {
  const calls: string[] = [];
  const complaints: string[] = [];
  const exits: number[] = [];
  let onSignal: (signal: StopSignal) => void = () => undefined;
  let onFault: (kind: 'exception' | 'rejection', error: unknown) => void = () => undefined;
  const host: Host = {
    onSignal: (handle) => {
      onSignal = handle;
    },
    onFault: (handle) => {
      onFault = handle;
    },
    nodeVersion: '24.21.0',
    complain: (line) => void complaints.push(line),
    exit: (code) => void exits.push(code),
  };
  const step = (name: string) => async () => void calls.push(name);
  const service: Service = {
    name: 'edge',
    start: step('start'),
    drain: step('drain'),
    stop: step('stop'),
    ready: () => ({ ok: true, reasons: [] }),
    ...parts,
  };
  const telemetry = captureTelemetry('edge');
  const clock = new FakeClock();
  const metricsAddress = { host: '127.0.0.1', port: 0 };
  const ended = runService(service, telemetry, { drainTimeoutMs: 1000, metricsAddress, clock, host });
  return {
    telemetry,
    clock,
    calls,
    complaints,
    exits,
    ended,
    signal: (name) => onSignal(name),
    fault: (error) => onFault('rejection', error),
    states: () => telemetry.events('lifecycle.state.changed').map((line) => line.to),
  };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const running = (s: Stage) => until(() => s.states().includes('running'));
const never = () => new Promise<void>(() => undefined);

describe('runService', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s drains, stops and exits 0', async (signal) => {
    const s = stage();
    await running(s);
    s.signal(signal);
    expect(await s.ended).toBe(0);
    expect(s.calls).toEqual(['start', 'drain', 'stop']);
    expect(s.states()).toEqual(['running', 'draining', 'drained', 'stopped']);
    expect(s.exits).toEqual([0]);
    expect(s.clock.pendingTimers).toBe(0);
    expect(await s.telemetry.metrics.text()).toContain('postern_lifecycle_state_active{state="stopped"} 1');
  });

  test('a drain that does not finish is cut off, its signal aborted, and stop still runs', async () => {
    let reason: unknown;
    const s = stage({
      drain: ({ signal }) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        });
        return never();
      },
    });
    await running(s);
    s.signal('SIGTERM');
    await until(() => s.clock.pendingTimers === 1);
    await s.clock.advance(1000);
    expect(await s.ended).toBe(0);
    expect(String(reason)).toContain('not done within 1000 ms');
    expect(s.telemetry.events('lifecycle.drain.expired')).toHaveLength(1);
    expect(s.calls).toContain('stop');
  });

  test('a second signal ends at once with 1', async () => {
    const s = stage({ drain: never });
    await running(s);
    s.signal('SIGTERM');
    s.signal('SIGTERM');
    expect(await s.ended).toBe(1);
    expect(s.exits[0]).toBe(1);
    expect(s.states().at(-1)).toBe('failed');
  });

  test('a failed start is one clear line, releases what it took, exits 1', async () => {
    const s = stage({
      start: () =>
        Promise.reject(new PosternError('store-unavailable', 'no stream SPOOL', { cause: new Error('timeout') })),
    });
    expect(await s.ended).toBe(1);
    expect(s.complaints).toEqual(['postern-edge: could not start: store-unavailable: no stream SPOOL: timeout']);
    expect(s.calls).toEqual(['stop']);
  });

  test('a signal while starting aborts the start and leaves cleanly', async () => {
    const s = stage({
      start: ({ signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    await new Promise((resolve) => setImmediate(resolve));
    s.signal('SIGTERM');
    expect(await s.ended).toBe(0);
    expect(s.states()).toEqual(['draining', 'drained', 'stopped']);
  });

  test('what nobody caught is logged and ends the process with 1', async () => {
    const s = stage();
    await running(s);
    s.fault(new Error('lost promise'));
    expect(await s.ended).toBe(1);
    expect(s.telemetry.events('lifecycle.fault.caught')[0]).toMatchObject({
      kind: 'rejection',
      error: { message: 'lost promise' },
    });
    expect(s.complaints[0]).toContain('unhandled rejection: lost promise');
  });

  test('an error in stop does not keep the process alive', async () => {
    const s = stage({ stop: () => Promise.reject(new Error('already closed')) });
    await running(s);
    s.signal('SIGTERM');
    expect(await s.ended).toBe(0);
    expect(s.telemetry.events('lifecycle.stop.failed')).toHaveLength(1);
  });
});

describe('main', () => {
  const run = async (error: Error): Promise<{ lines: string[]; codes: number[] }> => {
    const lines: string[] = [];
    const codes: number[] = [];
    const host: Host = {
      onSignal: () => undefined,
      onFault: () => undefined,
      nodeVersion: '24.21.0',
      complain: (line) => void lines.push(line),
      exit: (code) => void codes.push(code),
    };
    await main(() => Promise.reject(error), host);
    return { lines, codes };
  };

  test('a configuration error is shown as it is written', async () => {
    const error = new PosternError('config-invalid', 'x');
    error.message = 'a.yaml:1: x\na.yaml:2: y';
    expect(await run(error)).toEqual({ lines: ['a.yaml:1: x\na.yaml:2: y'], codes: [1] });
  });

  test('anything else is one line', async () => {
    expect(await run(new Error('two\nlines'))).toEqual({ lines: ['failed: two; lines'], codes: [1] });
  });
});

import { describe, expect, test } from 'vitest';
import type { Exit, RunningServer } from '../servers/running-server.js';
import { Keeper } from './keeper.js';

class Scene {
  readonly said: string[] = [];
  readonly slept: number[] = [];
  readonly servers: { end(exit: Exit): void; stopped: NodeJS.Signals | 'default' | undefined }[] = [];
  changes = 0;
  clock = 0;
  failLaunches = 0;
  readonly keeper: Keeper;

  constructor(pause: () => Promise<void> = () => Promise.resolve()) {
    this.keeper = new Keeper({
      name: 'edge',
      say: (line) => this.said.push(line),
      changed: () => {
        this.changes += 1;
      },
      sleep: async (ms) => {
        this.slept.push(ms);
        await pause();
      },
      monotonicMs: () => this.clock,
      launch: async (control) => {
        if (this.failLaunches > 0) {
          this.failLaunches -= 1;
          throw new Error('edge ended while starting');
        }
        return this.#serve(control.spawned);
      },
    });
  }

  #serve(spawned: ((pid: number) => void) | undefined): RunningServer {
    const pid = 100 + this.servers.length;
    const exited = Promise.withResolvers<Exit>();
    const control = { end: exited.resolve, stopped: undefined as NodeJS.Signals | 'default' | undefined };
    this.servers.push(control);
    spawned?.(pid);
    return {
      name: 'edge',
      pid,
      address: '',
      exited: exited.promise,
      signal: () => exited.resolve({ code: null, signal: 'SIGKILL' }),
      stop: async (signal) => {
        control.stopped = signal ?? 'default';
        exited.resolve({ code: 0, signal: null });
      },
    };
  }

  async crash(times: number): Promise<void> {
    for (let count = 0; count < times; count += 1) {
      const before = this.servers.length;
      this.servers.at(-1)?.end({ code: null, signal: 'SIGKILL' });
      await expect.poll(() => this.servers.length, { interval: 1 }).toBe(before + 1);
      await expect.poll(() => this.keeper.state.kind, { interval: 1 }).toBe('running');
    }
  }
}

describe('keeper', () => {
  test('restarts whatever dies, doubling the delay from 0.2 s to 10 s, and says so', async () => {
    const scene = new Scene();
    await scene.keeper.start();
    await scene.crash(8);
    expect(scene.slept).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    expect(scene.said[0]).toBe('edge (pid 100) ended by itself (SIGKILL); starting it again in 0.2 s');
    expect(scene.said[1]).toBe('edge serves again (pid 101)');
    expect(scene.keeper.restarts).toBe(8);
    await scene.keeper.stop();
  });

  test('while it is down it is known by the pid it had', async () => {
    const pause = Promise.withResolvers<void>();
    const scene = new Scene(() => pause.promise);
    expect(scene.keeper.last?.pid).toBeUndefined();
    await scene.keeper.start();
    scene.servers.at(-1)?.end({ code: 1, signal: null });
    await expect.poll(() => scene.keeper.state.kind, { interval: 1 }).toBe('waiting');
    expect([scene.keeper.pid, scene.keeper.last?.pid]).toEqual([undefined, 100]);
    pause.resolve();
    await expect.poll(() => scene.keeper.state.kind, { interval: 1 }).toBe('running');
    expect(scene.keeper.last?.pid).toBe(101);
    await scene.keeper.stop();
    expect(scene.keeper.last?.pid).toBe(101);
  });

  test('after half a minute of running the delay begins anew', async () => {
    const scene = new Scene();
    await scene.keeper.start();
    await scene.crash(3);
    scene.clock += 30_000;
    await scene.crash(1);
    expect(scene.slept).toEqual([200, 400, 800, 200]);
    await scene.keeper.stop();
  });

  test('a restart that fails is tried again with a longer delay and its reason', async () => {
    const scene = new Scene();
    await scene.keeper.start();
    scene.failLaunches = 2;
    await scene.crash(1);
    expect(scene.slept).toEqual([200, 400, 800]);
    expect(scene.said).toContain('edge ended while starting; starting it again in 0.4 s');
    await scene.keeper.stop();
  });

  test('what stays wrong is told with each longer delay, then no more until it serves', async () => {
    const scene = new Scene();
    await scene.keeper.start();
    scene.failLaunches = 20;
    await scene.crash(1);
    expect(scene.slept).toHaveLength(21);
    expect(scene.said.filter((line) => line.startsWith('edge ended while starting; '))).toHaveLength(6);
    expect(scene.said.at(-1)).toMatch(/^edge serves again/);
    await scene.keeper.stop();
  });

  test('a first start that fails twice is given up with the last words', async () => {
    const scene = new Scene();
    scene.failLaunches = 2;
    await expect(scene.keeper.start()).rejects.toThrow('edge ended while starting');
  });

  test('a stop is not a death: no restart, nothing said, the signal is passed on', async () => {
    const scene = new Scene();
    await scene.keeper.start();
    await scene.keeper.stop('SIGINT');
    expect(scene.servers.map((server) => server.stopped)).toEqual(['SIGINT']);
    expect(scene.said).toEqual([]);
    expect(scene.keeper.state).toEqual({ kind: 'stopped' });
  });
});

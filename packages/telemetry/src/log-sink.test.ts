import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, FakeClock, systemClock } from '@postern/clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { flushMs, LogSink, maxWaitingBytes } from './log-sink.js';

let folder: string;
let opened: number[];
let undo: (() => void)[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-log-sink-'));
  opened = [];
  undo = [];
});
afterEach(() => {
  for (const fd of opened) closeSync(fd);
  for (const step of undo) step();
  rmSync(folder, { recursive: true, force: true });
});

function open(path: string, flags: string | number): number {
  const fd = openSync(path, flags);
  opened.push(fd);
  return fd;
}

function sinkOn<C extends Clock>(fd: number, clock: C) {
  const seen = { dropped: 0, told: [] as number[] };
  const sink: LogSink = new LogSink({
    fd,
    pieceBytes: 4_096,
    clock,
    dropped: () => {
      seen.dropped += 1;
    },
    resumed: (lines) => {
      seen.told.push(lines);
      sink.write(`missing ${lines}\n`);
    },
  });
  return { sink, seen, clock };
}

const line = (n: number): string => `${String(n).padStart(6, '0')} ${'x'.repeat(993)}\n`;
const linesThatFit = Math.floor(maxWaitingBytes / line(0).length);
const untilIo = () => new Promise<void>((resolve) => setTimeout(resolve, 20));

async function readAll(fd: number, enough: () => boolean): Promise<string> {
  const buffer = Buffer.alloc(65_536);
  let text = '';
  for (let empty = 0; empty < 5; ) {
    const read = readWhatThereIs(fd, buffer);
    text += buffer.toString('latin1', 0, read);
    empty = read === 0 && enough() ? empty + 1 : 0;
    if (read === 0) await untilIo();
  }
  return text;
}

function readWhatThereIs(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch {
    return 0;
  }
}

describe('a log', () => {
  test('that can be written keeps every line, in order, also those in a hurry', async () => {
    const file = join(folder, 'log');
    const { sink, seen } = sinkOn(open(file, 'a'), new FakeClock());
    const lines = Array.from({ length: 500 }, (_, n) => line(n));
    for (const text of lines) sink.write(text);
    await sink.flush();
    expect(readFileSync(file, 'utf8')).toBe(lines.join(''));
    expect(seen).toEqual({ dropped: 0, told: [] });
  });

  test('on a full device holds what its bound allows, drops and counts the rest, and a flush ends', async () => {
    const { sink, seen, clock } = sinkOn(open('/dev/full', 'w'), new FakeClock());
    for (let n = 0; n < linesThatFit + 40; n++) sink.write(line(n));
    await sink.flush();
    expect(seen).toEqual({ dropped: 40, told: [] });
    expect(clock.pendingTimers).toBe(1);
    await sink.flush();
    sink.write(line(0));
    expect(seen.dropped).toBe(41);
  });

  test('whose pipe nobody reads waits for no thread; when somebody reads it tells how many lines are missing', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reader = open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const { sink, seen } = sinkOn(open(pipe, 'w'), systemClock);
    const before = performance.now();
    for (let n = 0; n < linesThatFit + 400; n++) sink.write(line(n));
    expect(performance.now() - before).toBeLessThan(flushMs);
    expect(seen.dropped).toBeGreaterThan(0);
    await sink.flush();
    const text = await readAll(reader, () => seen.told.length > 0);
    const told = seen.told[0] ?? 0;
    expect(told).toBe(seen.dropped);
    const read = text.trimEnd().split('\n');
    expect(read.at(-1)).toBe(`missing ${told}`);
    expect(read.slice(0, -1).map((one) => Number(one.slice(0, 6)))).toEqual(read.slice(0, -1).map((_, n) => n));
    expect(read.length - 1 + told).toBe(linesThatFit + 400);
  });

  // Only root may mount; a disk that is full and then has room again is not to be had otherwise.
  test.runIf(process.getuid?.() === 0)('goes on where it stopped when a full disk has room again', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'postern-test', folder]);
    undo.push(() => execFileSync('umount', ['-l', folder]));
    writeFileSync(join(folder, 'ballast'), 'b'.repeat(40_960));
    const file = join(folder, 'log');
    const { sink, seen, clock } = sinkOn(open(file, 'a'), new FakeClock());
    for (let n = 0; n < 60; n++) sink.write(line(n));
    while (clock.pendingTimers === 0) await untilIo();
    for (let n = 60; n < linesThatFit + 100; n++) sink.write(line(n));
    expect(seen.dropped).toBeGreaterThan(0);
    rmSync(join(folder, 'ballast'));
    execFileSync('mount', ['-o', 'remount,size=4m', folder]);
    await clock.advance(1_000);
    await sink.flush();
    const read = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(seen.told).toEqual([seen.dropped]);
    expect(read.at(-1)).toBe(`missing ${seen.dropped}`);
    expect(read.slice(0, -1).map((one) => Number(one.slice(0, 6)))).toEqual(read.slice(0, -1).map((_, n) => n));
    expect(read.length - 1 + seen.dropped).toBe(linesThatFit + 100);
  });
});

import { systemClock } from '@postern/clock';
import { createClient } from '@postern/grpc';
import { EvaluateRequest, EvaluateResponse, PolicyServiceClient } from '@postern/proto/policy/v1/policy_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { createPolicyClient, type PolicyClient } from './policy-client.js';
import { startTestPolicy, type TestPolicy } from './testing/policy-server.js';

const telemetry = captureTelemetry('edge', 'error');
const pods: TestPolicy[] = [];
let client: PolicyClient | undefined;

afterEach(() => {
  client?.close();
  for (const pod of pods.splice(0)) pod.stop();
});

async function start(count: number): Promise<PolicyClient> {
  for (let index = 0; index < count; index++) pods.push(await startTestPolicy(telemetry));
  const made = createPolicyClient({
    clock: systemClock,
    connect: (address) =>
      createClient(PolicyServiceClient, { address, telemetry, deadlineMs: 5_000, unavailable: 'policy-unavailable' }),
    onPod: () => undefined,
    onAnswer: () => undefined,
  });
  client = made;
  made.use(pods.map(({ address }) => address));
  await expect.poll(() => made.openPods()).toBe(count);
  return made;
}

const request = (sessionId: string, sequence = 1) => EvaluateRequest.fromPartial({ sessionId, sequence });

describe('policy client', () => {
  it('keeps a session on its pod and spreads sessions over pods', async () => {
    const policy = await start(2);
    for (const pod of pods) pod.answer = () => undefined;
    for (let index = 0; index < 10; index++) void policy.evaluate(request(`s${index}`), 1_000);
    await expect.poll(() => pods.map(({ asked }) => asked.length)).toEqual([5, 5]);
    const [first] = pods;
    const mine = first?.asked.map(({ sessionId }) => sessionId) ?? [];
    for (const sessionId of mine) void policy.evaluate(request(sessionId, 2), 1_000);
    await expect.poll(() => pods.map(({ asked }) => asked.length)).toEqual([10, 5]);
  });

  it('asks another pod with the same request when one dies: no session fails', async () => {
    const policy = await start(2);
    const [dying, other] = pods;
    if (dying === undefined || other === undefined) throw new Error('two pods');
    dying.answer = () => undefined;
    const answers = Array.from({ length: 20 }, (_, index) => policy.evaluate(request(`s${index}`), 5_000));
    await expect.poll(() => dying.asked.length).toBeGreaterThan(0);
    dying.stop();
    const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
    expect(kinds).toEqual(new Array(20).fill('verdict'));
    expect(new Set([...dying.asked, ...other.asked].map(({ sessionId }) => sessionId)).size).toBe(20);
  });

  it('gives new sessions to the busier pod while the other owes an answer for long', async () => {
    const policy = await start(2);
    const [silent, busy] = pods;
    if (silent === undefined || busy === undefined) throw new Error('two pods');
    silent.answer = () => undefined;
    busy.answer = () => EvaluateResponse.fromPartial({});
    void policy.evaluate(request('waits'), 10_000);
    await expect.poll(() => silent.asked.length).toBe(1);
    let count = 0;
    /** How many of five new sessions the silent one was given. */
    const given = async (): Promise<number> => {
      const before = silent.asked.length;
      const end = pods.reduce((sum, { asked }) => sum + asked.length, 5);
      for (let index = 0; index < 5; index++) void policy.evaluate(request(`s${count++}`), 10_000);
      await expect.poll(() => pods.reduce((sum, { asked }) => sum + asked.length, 0)).toBe(end);
      return silent.asked.length - before;
    };
    expect(await given()).toBeGreaterThan(0);
    await expect.poll(given, { timeout: 5_000, interval: 500 }).toBe(0);
  });

  it('gives up at the deadline without a judgement', async () => {
    const policy = await start(1);
    for (const pod of pods) pod.answer = () => undefined;
    const started = systemClock.monotonic();
    expect(await policy.evaluate(request('s'), 200)).toMatchObject({ kind: 'unavailable' });
    expect(systemClock.monotonic() - started).toBeLessThan(1_500);
  });

  it('answers unavailable when every pod is away, within its patience, and goes on when one is back', async () => {
    const policy = await start(1);
    const [pod] = pods;
    if (pod === undefined) throw new Error('one pod');
    const port = Number(pod.address.split(':')[1]);
    pod.stop();
    await expect.poll(() => policy.openPods()).toBe(0);
    expect(await policy.evaluate(request('s'), 500)).toMatchObject({ kind: 'unavailable' });
    pods.push(await startTestPolicy(telemetry, port));
    await expect.poll(() => policy.openPods(), { timeout: 10_000 }).toBe(1);
    expect(await policy.evaluate(request('s', 2), 2_000)).toMatchObject({ kind: 'verdict' });
  });

  it('sends a large message in order, with room given by the stream', async () => {
    const policy = await start(1);
    const [pod] = pods;
    if (pod === undefined) throw new Error('one pod');
    pod.answer = () => EvaluateResponse.fromPartial({ senderAuthenticated: true });
    const exchange = policy.content(request('s'), { uploadMs: 10_000, silenceMs: 10_000 });
    const parts = Array.from({ length: 64 }, (_, index) => Buffer.alloc(100_000, index));
    for (const part of parts) await exchange.write(part);
    expect(await exchange.finish(6_400_000)).toMatchObject({ kind: 'verdict', verdict: { senderAuthenticated: true } });
    expect(pod.content.equals(Buffer.concat(parts))).toBe(true);
  });

  it('sends what comes octet by octet in few chunks', async () => {
    const policy = await start(1);
    const [pod] = pods;
    if (pod === undefined) throw new Error('one pod');
    const exchange = policy.content(request('s'), { uploadMs: 10_000, silenceMs: 10_000 });
    const whole = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 253));
    await exchange.write(whole.subarray(0, 30_000));
    for (let at = 30_000; at < 70_000; at++) await exchange.write(whole.subarray(at, at + 1));
    await exchange.write(whole.subarray(70_000, 99_999));
    await exchange.write(whole.subarray(99_999));
    expect(await exchange.finish(whole.length)).toMatchObject({ kind: 'verdict' });
    expect(pod.content.equals(whole)).toBe(true);
    expect(pod.chunks).toBeLessThan(10);
  });
});

/**
 * One policy pod: its bidirectional stream, the requests outstanding on it, its credit. Reconnects with back-off for as long as it is listed.
 * A request ends in an answer, in `lost` (the stream died: another pod may be asked, requests are idempotent) or in `late` (its deadline).
 * Bounded: what exceeds the pod's credit waits here, at most `maxWaiting`.
 */
import type { Clock, Timer } from '@postern/clock';
import type { GrpcClient } from '@postern/grpc';
import type {
  ContentResponse,
  EvaluateRequest,
  EvaluateResponse,
  PolicyServiceClient,
  SessionRequest,
  SessionResponse,
} from '@postern/proto/policy/v1/policy_service';

export type PodAnswer =
  | { readonly kind: 'verdict'; readonly verdict: EvaluateResponse }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'late' };

interface Outstanding {
  readonly askedAt: number;
  readonly resolve: (answer: PodAnswer) => void;
  readonly timer: Timer;
}

type Stream = ReturnType<PolicyServiceClient['session']>;

const firstBackoffMs = 100;
const maxBackoffMs = 2_000;
const connectMs = 5_000;
/** An answer that takes longer makes a pod the last choice for new sessions: it may be silent. */
const overdueMs = 1_000;
/** Requests allowed before the pod said how many. */
const initialCredit = 256;
const maxWaiting = 10_000;

export class PolicyPod {
  isDraining = false;
  #stream: Stream | undefined;
  #open = false;
  #credit = initialCredit;
  #nextId = 1;
  #closed = false;
  #backoffMs = firstBackoffMs;
  #retry: Timer | undefined;
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #waiting: SessionRequest[] = [];
  /** Sent and not answered. */
  readonly #sent = new Set<number>();

  constructor(
    readonly address: string,
    readonly client: GrpcClient<PolicyServiceClient>,
    readonly clock: Clock,
    readonly onChange: (pod: PolicyPod, isOpen: boolean) => void,
  ) {
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#open && !this.#closed;
  }

  get load(): number {
    return this.#outstanding.size;
  }

  /** The oldest question has waited for long. */
  get isOverdue(): boolean {
    const [oldest] = this.#outstanding.values();
    return oldest !== undefined && this.clock.monotonic() - oldest.askedAt > overdueMs;
  }

  ask(request: EvaluateRequest, deadlineMs: number): Promise<PodAnswer> {
    if (!this.isOpen || this.#waiting.length >= maxWaiting) return Promise.resolve({ kind: 'lost' });
    const requestId = this.#nextId++;
    return new Promise((resolve) => {
      const timer = this.clock.setTimer(deadlineMs, () => this.#settle(requestId, { kind: 'late' }), { unref: true });
      this.#outstanding.set(requestId, { askedAt: this.clock.monotonic(), resolve, timer });
      this.#waiting.push({ requestId, deadlineMs: Math.ceil(deadlineMs), kind: { $case: 'evaluate', value: request } });
      this.#pump();
    });
  }

  /** The content RPC of one large message. */
  upload(deadlineMs: number) {
    return this.client.upload<SessionContent, ContentResponse>(this.client.rpc.content, { deadlineMs });
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#stream?.cancel();
    this.#drop();
    this.client.close();
  }

  #connect(): void {
    this.client.rpc.waitForReady(this.clock.now() + connectMs, (error) => {
      if (this.#closed) return;
      if (error === undefined || error === null) this.#openStream();
      else this.#again();
    });
  }

  #openStream(): void {
    const stream: Stream = this.client.duplex(this.client.rpc.session);
    this.#stream = stream;
    stream.on('data', (response: SessionResponse) => this.#onResponse(response));
    stream.on('error', () => this.#lost(stream));
    stream.on('end', () => this.#lost(stream));
    this.#open = true;
    this.isDraining = false;
    this.onChange(this, true);
  }

  #onResponse(response: SessionResponse): void {
    this.#backoffMs = firstBackoffMs;
    const { kind } = response;
    if (kind === undefined) return;
    if (kind.$case === 'notice') {
      if (kind.value.credit > 0) this.#credit = kind.value.credit;
      this.isDraining = kind.value.draining;
      this.#pump();
      return;
    }
    this.#sent.delete(response.requestId);
    if (kind.$case === 'verdict') this.#settle(response.requestId, { kind: 'verdict', verdict: kind.value });
    else this.#settle(response.requestId, { kind: 'failed', reason: `${kind.value.errorId} ${kind.value.detail}` });
    this.#pump();
  }

  #pump(): void {
    while (this.#sent.size < this.#credit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (!this.#outstanding.has(next.requestId)) continue;
      this.#sent.add(next.requestId);
      this.#stream?.write(next);
    }
  }

  #settle(requestId: number, answer: PodAnswer): void {
    const found = this.#outstanding.get(requestId);
    if (found === undefined) return;
    this.#outstanding.delete(requestId);
    this.#sent.delete(requestId);
    found.timer.cancel();
    found.resolve(answer);
  }

  #lost(stream: Stream): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    this.#open = false;
    this.#drop();
    if (this.#closed) return;
    this.onChange(this, false);
    this.#again();
  }

  #again(): void {
    this.#retry = this.clock.setTimer(this.#backoffMs, () => this.#connect(), { unref: true });
    this.#backoffMs = Math.min(this.#backoffMs * 2, maxBackoffMs);
  }

  #drop(): void {
    this.#sent.clear();
    this.#waiting.length = 0;
    for (const requestId of [...this.#outstanding.keys()]) this.#settle(requestId, { kind: 'lost' });
  }
}

export type SessionContent = Parameters<ReturnType<PolicyServiceClient['content']>['write']>[0];

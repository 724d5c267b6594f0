/**
 * PosternError <-> gRPC status. The id travels in the trailer `postern-error-id`, the detail as the status message.
 * A cause never leaves the process: it is kept beside the trailer object until the server has logged it.
 */

import { catalogue, type ErrorId, isErrorId, PosternError, toPosternError } from '@postern/errors';
import { Metadata, type PartialStatusObject, type ServiceError, status } from './grpc-js.js';

export const errorIdKey = 'postern-error-id';
const longestDetail = 1024;

export interface ErrorStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

const causes = new WeakMap<Metadata, PosternError>();

export function statusOf(error: unknown): ErrorStatus {
  const known = toPosternError(error);
  const metadata = new Metadata();
  metadata.set(errorIdKey, known.id);
  causes.set(metadata, known);
  const { grpcCode, publicText } = catalogue[known.id];
  return { code: grpcCode, details: (known.detail || publicText).slice(0, longestDetail), metadata };
}

/** The error a status was made from, in the process that made it. */
export function causeOf(sent: PartialStatusObject): PosternError | undefined {
  return sent.metadata ? causes.get(sent.metadata) : undefined;
}

// RESOURCE_EXHAUSTED without an id is grpc-js refusing a frame: a local fault, hence never message-too-large.
const idByCode: Readonly<Record<number, ErrorId>> = {
  [status.CANCELLED]: 'cancelled',
  [status.INVALID_ARGUMENT]: 'invalid-argument',
  [status.DEADLINE_EXCEEDED]: 'deadline-exceeded',
  [status.NOT_FOUND]: 'not-found',
  [status.ALREADY_EXISTS]: 'already-exists',
  [status.PERMISSION_DENIED]: 'permission-denied',
  [status.RESOURCE_EXHAUSTED]: 'overload',
  [status.FAILED_PRECONDITION]: 'failed-precondition',
  [status.ABORTED]: 'aborted',
  [status.OUT_OF_RANGE]: 'invalid-argument',
  [status.UNIMPLEMENTED]: 'unimplemented',
  [status.UNAVAILABLE]: 'service-unavailable',
  [status.UNAUTHENTICATED]: 'unauthenticated',
};

/** What a failed call means here. `unavailable` names the callee when nobody answered. */
export function errorOf(failure: ServiceError, unavailable: ErrorId = 'service-unavailable'): PosternError {
  const [sent] = failure.metadata?.get(errorIdKey) ?? [];
  if (typeof sent === 'string' && isErrorId(sent)) {
    const detail = failure.details === catalogue[sent].publicText ? '' : failure.details;
    return new PosternError(sent, detail, { cause: failure });
  }
  const id = idByCode[failure.code] ?? 'internal';
  return new PosternError(id === 'service-unavailable' ? unavailable : id, failure.details, { cause: failure });
}

/** Did the call end without an answer of the house: nobody there, no way, no time? Its detail is then grpc's own, no text for people. */
export function isUnanswered(error: PosternError): boolean {
  const { cause } = error;
  if (!(cause instanceof Error) || !('code' in cause) || !('metadata' in cause)) return false;
  const sent = cause.metadata instanceof Metadata ? cause.metadata.get(errorIdKey) : [];
  return sent.length === 0 && (cause.code === status.UNAVAILABLE || cause.code === status.DEADLINE_EXCEEDED);
}

const codeNames = new Map<number, string>();
for (const [name, code] of Object.entries(status)) if (typeof code === 'number') codeNames.set(code, name);

export const statusNames: readonly string[] = [...codeNames.values()];

export function statusName(code: number | null | undefined): string {
  return codeNames.get(code ?? status.UNKNOWN) ?? 'UNKNOWN';
}

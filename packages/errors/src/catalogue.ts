/**
 * Every error that leaves a service, by immutable id. `temporary` says whether trying again can help.
 * The reply is what an SMTP client sees when the error reaches a session. Invariant 4: a local fault is never answered
 * 5xx, so an id has a 5xx reply only if it is a judgement about the mail itself (`judgement`).
 * Ids are never renamed or reused; docs/reference/errors.md is generated from this table.
 */

/** Status codes of the gRPC specification, as plain numbers: this package imports nothing. */
export const grpcCodes = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export interface CatalogueEntry {
  readonly temporary: boolean;
  readonly grpcCode: number;
  readonly reply: { readonly code: number; readonly enhanced: string };
  /** Safe to show to anybody. */
  readonly publicText: string;
  /** What an operator does about it. */
  readonly help: string;
  /** True when the error is about the mail, not about us. */
  readonly judgement: boolean;
}

const localFault = { code: 451, enhanced: '4.3.0' } as const;

function temporary(grpcCode: number, publicText: string, help: string, reply: CatalogueEntry['reply'] = localFault) {
  return { temporary: true, grpcCode, reply, publicText, help, judgement: false } satisfies CatalogueEntry;
}

function permanent(grpcCode: number, publicText: string, help: string) {
  return { temporary: false, grpcCode, reply: localFault, publicText, help, judgement: false } satisfies CatalogueEntry;
}

const { UNAVAILABLE } = grpcCodes;

export const catalogue = {
  'policy-unavailable': temporary(
    UNAVAILABLE,
    'Mail checks are temporarily unavailable',
    'No policy pod answered in time. Check that policy pods are ready and that edge can resolve and reach them.',
  ),
  'store-unavailable': temporary(
    UNAVAILABLE,
    'Mail storage is temporarily unavailable',
    'JetStream or PostgreSQL did not acknowledge a write. Check the quorum, disk space and limits of its streams.',
  ),
  'limits-unavailable': temporary(
    UNAVAILABLE,
    'Limits are temporarily unavailable',
    'Redis did not answer and no local limits are configured. Check Redis and the user of the service in its ACL.',
  ),
  'directory-stale': temporary(
    UNAVAILABLE,
    'Recipients cannot be verified right now',
    'The recipient projection is behind or absent. Check the outbox leader of provisioning and the DIRECTORY bucket.',
  ),
  'service-unavailable': temporary(
    UNAVAILABLE,
    'A service of the cluster is temporarily unavailable',
    'No pod of the called service could be reached. Check that it is ready and that its name resolves.',
  ),
  'credentials-unavailable': temporary(
    UNAVAILABLE,
    'Authentication is temporarily unavailable',
    'provisioning did not answer the credential service. Logins continue when it does.',
    { code: 454, enhanced: '4.7.0' },
  ),
  overload: temporary(
    grpcCodes.RESOURCE_EXHAUSTED,
    'Too busy, try again later',
    'A pod refused work to protect itself. Scale the service out or raise its limits.',
    { code: 421, enhanced: '4.3.1' },
  ),
  draining: temporary(
    UNAVAILABLE,
    'Shutting down, try again',
    'The pod is being stopped and takes no new work. Nothing to do: clients go to another pod.',
    { code: 421, enhanced: '4.3.2' },
  ),
  'deadline-exceeded': temporary(
    grpcCodes.DEADLINE_EXCEEDED,
    'Not answered in time',
    'A call ended at its deadline. Look at the latency of the service that was asked and what it waits for.',
  ),
  cancelled: temporary(
    grpcCodes.CANCELLED,
    'Cancelled',
    'The caller went away before the answer. Normal when clients disconnect.',
  ),
  aborted: temporary(
    grpcCodes.ABORTED,
    'Changed at the same time, try again',
    'Two changes met. Read the resource again and repeat the change.',
  ),
  'quota-exceeded': temporary(
    grpcCodes.RESOURCE_EXHAUSTED,
    'Quota exceeded',
    'A quota of the tenant is used up. Raise it or wait until it frees itself.',
    { code: 452, enhanced: '4.2.2' },
  ),
  internal: temporary(
    grpcCodes.INTERNAL,
    'Internal error',
    'A fault in the service itself. The log has it under the same session id or trace id; please report it.',
  ),
  'config-invalid': permanent(
    grpcCodes.FAILED_PRECONDITION,
    'The configuration is not valid',
    'The message names the file, the line and the field, and what is allowed there.',
  ),
  'invalid-argument': permanent(
    grpcCodes.INVALID_ARGUMENT,
    'The request is not valid',
    'The detail names the field and what is allowed there.',
  ),
  'not-found': permanent(grpcCodes.NOT_FOUND, 'Not found', 'Check the name and the tenant.'),
  'already-exists': permanent(grpcCodes.ALREADY_EXISTS, 'Already exists', 'Choose another name or change what exists.'),
  'permission-denied': permanent(
    grpcCodes.PERMISSION_DENIED,
    'Not permitted',
    'The role of the key or the signed scope does not cover the call. Check the role and the tenant.',
  ),
  unauthenticated: permanent(
    grpcCodes.UNAUTHENTICATED,
    'Not authenticated',
    'No valid key or scope came with the call. Check the key, its expiry and that services share one scope key.',
  ),
  'failed-precondition': permanent(
    grpcCodes.FAILED_PRECONDITION,
    'Not possible in the current state',
    'The etag is not the current one, or the resource is in another state. Read it again, then repeat the change.',
  ),
  unimplemented: permanent(
    grpcCodes.UNIMPLEMENTED,
    'Not supported',
    'The other side is an older release or the feature is switched off.',
  ),
  'message-too-large': {
    temporary: false,
    grpcCode: grpcCodes.OUT_OF_RANGE,
    reply: { code: 552, enhanced: '5.3.4' },
    publicText: 'Message size exceeds the limit',
    help: 'The message is larger than the limit of the listener or tenant. Raise the limit or send less.',
    judgement: true,
  },
} as const satisfies Readonly<Record<string, CatalogueEntry>>;

export type ErrorId = keyof typeof catalogue;

export function isErrorId(text: string): text is ErrorId {
  return Object.hasOwn(catalogue, text);
}

export const errorIds: readonly ErrorId[] = Object.keys(catalogue).filter(isErrorId);

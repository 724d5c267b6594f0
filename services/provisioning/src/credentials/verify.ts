/**
 * Verifies completed SASL exchanges, statelessly (design.md, Trust). PLAIN and LOGIN: argon2id; SCRAM-SHA-256: proof against StoredKey
 * (RFC 5802 §3). The row is read every time, so a change is live at once; a right password is remembered for a minute under a keyed digest
 * of it and of the stored verifier. Unknown users, disabled users and wrong passwords cost the same.
 */
import type { Clock, Random } from '@postern/clock';
import type { VerifyRequest, VerifyResponse } from '@postern/proto/directory/v1/credential_service';
import type { Logger } from '@postern/telemetry';
import { canonical } from '../addresses.js';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { ProvisioningEvent } from '../events.js';
import type { ProvisioningMetrics } from '../metrics.js';
import type { Sealer } from '../secrets/seal.js';
import { appPasswordDigest } from './app-password.js';
import { proveCram, proveDigest } from './challenge-proof.js';
import type { HashSlots } from './hash-slots.js';
import { labelOf } from './mechanisms.js';
import { fakeVerifier, isScram, normalise, verifyPassword } from './password.js';
import { loginOf, type Realm } from './principal.js';
import { isBoundAsSaid, type Proof, proveScram } from './scram-proof.js';
import { createTokenVerifier, type Issuer, tokenForAnother } from './token.js';
import { createVerifiedCache } from './verified-cache.js';

export interface VerifierParts {
  readonly withTenant: WithTenant;
  readonly hashSlots: HashSlots;
  readonly sealer: Sealer;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Logger<ProvisioningEvent>;
  readonly metrics: ProvisioningMetrics;
  /** Of tokens, as the operator names them now. */
  readonly issuers: () => readonly Issuer[];
  /** Of Kerberos, as the operator names them now. */
  readonly realms: () => readonly Realm[];
  /** 0 = off. */
  readonly cacheForMs: number;
}

interface LoginRow {
  readonly tenant: string;
  readonly password: string | null;
  readonly scram: string | null;
  readonly recoverable_password: Buffer | null;
  readonly disabled: boolean;
  readonly expires_at: Date | null;
  readonly allowed_identities: string[];
  readonly tenant_state: string;
}

type Reason =
  | 'unknown user'
  | 'wrong password'
  | 'disabled'
  | 'expired'
  | 'tenant suspended'
  | 'no password'
  | 'no recoverable password'
  | 'unsupported'
  | 'malformed'
  | `token: ${string}`
  | `principal: ${string}`;

const longestPassword = 1_024;
const none = Buffer.alloc(0);

export function createVerifier(parts: VerifierParts): (request: VerifyRequest) => Promise<VerifyResponse> {
  const { withTenant, hashSlots, random, clock, metrics, log } = parts;
  const fake = fakeVerifier(random);
  const verifyToken = createTokenVerifier();
  const cache = createVerifiedCache({ clock, random, forMs: parts.cacheForMs });

  const isAppPassword = async (address: string, password: string): Promise<boolean> => {
    const digest = appPasswordDigest(parts.sealer, address, password);
    if (digest === undefined) return false;
    const found = await withTenant(operatorScope, (tx) =>
      tx.rows(
        'SELECT 1 FROM app_passwords WHERE address = $1 AND digest = $2 AND (expires_at IS NULL OR expires_at > $3)',
        [address, digest, new Date(clock.now())],
      ),
    );
    return found.length > 0;
  };

  const provePassword = async (row: LoginRow | undefined, address: string, password: string): Promise<Proof> => {
    const verifier = row?.password ?? fake;
    const key = cache.keyOf(verifier, password);
    if (row?.password && cache.has(key)) return { right: true, cached: true, serverProof: none };
    // Asked for unknown users too: what it costs must not tell who exists.
    if ((await isAppPassword(address, password)) && row !== undefined)
      return { right: true, cached: false, serverProof: none };
    const right = await hashSlots.run(() => verifyPassword(password, verifier));
    if (right) cache.add(key);
    return { right: right && row?.password !== undefined, cached: false, serverProof: none };
  };

  const refuse = (
    request: VerifyRequest,
    reason: Reason,
    outcome: 'wrong' | 'disabled' | 'unsupported',
  ): VerifyResponse => {
    metrics.logins.with({ outcome, mechanism: labelOf(request.mechanism) }).inc();
    log.info('provisioning.login.refused', {
      session_id: request.sessionId,
      client_address: request.clientAddress,
      user: request.username.slice(0, 320),
      mechanism: request.mechanism.slice(0, 40),
      reason,
    });
    return { verified: false, authenticatedUser: '', tenant: '', serverProof: none, reason, allowedIdentities: [] };
  };

  return async (request) => {
    const begun = clock.monotonic();
    const mechanism = request.mechanism.toUpperCase();
    const ticket = mechanism === 'GSSAPI' ? principalOf(request, parts.realms()) : undefined;
    if (ticket?.kind === 'nobody') return refuse(request, `principal: ${ticket.reason}`, 'wrong');
    const address = ticket === undefined ? canonical(request.username) : ticket.address;
    const row = address === undefined ? undefined : await readLogin(withTenant, address);
    let proof: Proof;
    if (mechanism === 'PLAIN' || mechanism === 'LOGIN') {
      const password = Buffer.from(request.parameters.password ?? none).toString('utf8');
      if (password === '' || password.length > longestPassword) return refuse(request, 'malformed', 'wrong');
      proof = await provePassword(row, address ?? request.username, password);
    } else if (isScram(mechanism)) {
      if (!isBoundAsSaid(mechanism, request)) return refuse(request, 'malformed', 'wrong');
      proof = proveScram(row?.scram ?? undefined, request.parameters);
    } else if (mechanism === 'CRAM-MD5' || mechanism === 'DIGEST-MD5') {
      const kept = row?.recoverable_password ?? undefined;
      const password = kept === undefined || row === undefined ? undefined : parts.sealer.open(row.tenant, kept);
      const against = normalise(password ?? fake);
      const proved =
        mechanism === 'CRAM-MD5'
          ? proveCram(against, request.parameters)
          : proveDigest(request.username, against, request.parameters);
      proof = { ...proved, right: proved.right && password !== undefined };
      if (row !== undefined && password === undefined) return refuse(request, 'no recoverable password', 'wrong');
    } else if (mechanism === 'OAUTHBEARER' || mechanism === 'XOAUTH2') {
      const token = Buffer.from(request.parameters.token ?? none).toString('utf8');
      const answer = await verifyToken(token, parts.issuers(), clock.now());
      if (answer.kind === 'wrong') return refuse(request, `token: ${answer.reason}`, 'wrong');
      const fault =
        row === undefined || address === undefined
          ? undefined
          : tokenForAnother(answer, { address, tenant: row.tenant });
      if (fault !== undefined) return refuse(request, `token: ${fault}`, 'wrong');
      proof = { right: row !== undefined, cached: false, serverProof: none };
    } else if (ticket !== undefined) {
      if (row !== undefined && !ticket.tenants.includes(row.tenant))
        return refuse(request, 'principal: not for this tenant', 'wrong');
      proof = { right: row !== undefined, cached: false, serverProof: none };
    } else return refuse(request, 'unsupported', 'unsupported');
    metrics.loginSeconds.observe((clock.monotonic() - begun) / 1_000);
    if (row === undefined || address === undefined) return refuse(request, 'unknown user', 'wrong');
    if (!proof.right) return refuse(request, row.password === null ? 'no password' : 'wrong password', 'wrong');
    if (row.disabled) return refuse(request, 'disabled', 'disabled');
    if (row.expires_at !== null && row.expires_at.getTime() <= clock.now())
      return refuse(request, 'expired', 'disabled');
    if (row.tenant_state !== 'active') return refuse(request, 'tenant suspended', 'disabled');
    metrics.logins.with({ outcome: proof.cached ? 'cached' : 'verified', mechanism: labelOf(mechanism) }).inc();
    return {
      verified: true,
      authenticatedUser: address,
      tenant: row.tenant,
      serverProof: proof.serverProof,
      reason: '',
      allowedIdentities: row.allowed_identities,
    };
  };
}

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? none).toString('utf8');

const principalOf = ({ parameters }: VerifyRequest, realms: readonly Realm[]) =>
  loginOf(textOf(parameters.principal), textOf(parameters.authzid), realms);

async function readLogin(withTenant: WithTenant, address: string): Promise<LoginRow | undefined> {
  const [row] = await withTenant(operatorScope, (tx) =>
    tx.rows<LoginRow>(
      `SELECT u.tenant, u.password, u.scram, u.recoverable_password, u.disabled, u.expires_at, u.allowed_identities, t.state AS tenant_state
       FROM users u JOIN tenants t ON t.name = u.tenant WHERE u.address = $1`,
      [address],
    ),
  );
  return row;
}

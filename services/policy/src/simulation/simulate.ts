/**
 * A described session or a recorded one, judged by the same code that judges mail (invariant 10). Nothing is stored, counted against a limit, or
 * sent. A tenant sees how its own mail is judged, and learns nothing about the recipients, relay rights and rules of others.
 */
import { isIP } from 'node:net';
import type { Clock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import type { SessionTerms } from '@postern/flow-control/session';
import type { SimulateRequest, SimulateResponse } from '@postern/proto/policy/v1/policy_service';
import type { Judge } from '../judge.js';
import { shownSimulation } from '../recording/own-part.js';
import type { RecordingStore } from '../recording/recording-store.js';
import { replaySession } from '../recording/replay.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import { domainOf } from '../subject.js';
import { type DescribedSession, describedSession } from './described-session.js';
import { SessionCourse } from './session-course.js';

export interface SimulationParts {
  readonly judge: Judge;
  readonly recordings: RecordingStore;
  readonly clock: Clock;
  /** Most Received fields of a message; with one more it loops. */
  readonly maxHops: number;
  /** Octets of a line of a message. */
  readonly maxLineLength: number;
  /** Milliseconds until the answer must stand. */
  readonly deadlineMs: number;
}

function refuseForeign(
  { tenant, facts }: SimulateRequest,
  { ready, facts: described }: DescribedSession,
  snapshot: CompiledSnapshot,
): void {
  if (tenant === '') return;
  const denied = (what: string): never => {
    throw new PosternError('permission-denied', `${what} is not of tenant ${tenant}`);
  };
  const submitter = facts?.submittingTenant || ready.login?.tenant || '';
  if (submitter !== '' && submitter !== tenant) denied('the submitting tenant');
  // To whom its own mail goes is the tenant's to ask; what others' settings said of it is not shown.
  if (described.relayRight && described.submittingTenant === tenant) return;
  for (const { address, tenant: owner } of facts?.recipients ?? []) {
    const domain = snapshot.domain(domainOf(address));
    if ((owner !== '' && owner !== tenant) || (domain !== undefined && domain.tenant !== tenant)) denied(address);
  }
}

const mostCandidates = 100;

/** The snapshot with the rules that are tried; a tenant tries its own only. */
function withCandidates({ candidates, tenant }: SimulateRequest, snapshot: CompiledSnapshot): CompiledSnapshot {
  if (candidates.length === 0) return snapshot;
  if (candidates.length > mostCandidates) {
    throw new PosternError(
      'invalid-argument',
      `${candidates.length} candidate rules; expected at most ${mostCandidates}`,
    );
  }
  const foreign = candidates.find((rule) => tenant !== '' && (rule.scope === 'server' || rule.tenant !== tenant));
  if (foreign !== undefined)
    throw new PosternError('permission-denied', `rule ${foreign.id} is not of tenant ${tenant}`);
  return { ...snapshot, rules: snapshot.rules.trying(candidates) };
}

/** The snapshot with the settings of checks that are tried. */
function withChecks({ checks, tenant }: SimulateRequest, snapshot: CompiledSnapshot): CompiledSnapshot {
  if (checks === undefined) return snapshot;
  const { scope, document } = checks;
  const domain = scope === '' ? undefined : snapshot.domain(domainOf(scope));
  if (scope !== '' && (tenant === '' || domain?.tenant !== tenant || scope.includes('@')))
    throw new PosternError('permission-denied', `${scope} is no domain of tenant ${tenant}`);
  return { ...snapshot, policies: snapshot.policiesTrying({ tenant, domain: domain?.name ?? '', document }) };
}

/** What the session would decide, with the rules that are tried; relay rights of others are not told to a tenant. */
function termsFor({ candidates, tenant }: SimulateRequest, snapshot: CompiledSnapshot): SessionTerms {
  const terms = snapshot.terms();
  const seen: SessionTerms = {
    ...terms,
    relayTenant: (...client) => {
      const found = terms.relayTenant(...client);
      return tenant === '' || found === tenant ? found : undefined;
    },
  };
  if (candidates.length === 0) return seen;
  return {
    ...seen,
    rules: terms.rules.trying(candidates),
    refusals: terms.refusals.trying(candidates),
    askedLogins: terms.askedLogins.trying(candidates),
  };
}

export async function simulate(
  { judge, recordings, clock, maxHops, maxLineLength, deadlineMs }: SimulationParts,
  request: SimulateRequest,
  inUse: CompiledSnapshot | undefined,
): Promise<SimulateResponse> {
  if (inUse === undefined) throw new PosternError('policy-unavailable', 'no snapshot yet');
  const tried = withChecks(request, withCandidates(request, inUse));
  if (request.recorded !== '') {
    if (request.tenant === '') throw new PosternError('invalid-argument', 'a recording is of a tenant: name it');
    const steps = await recordings.read(request.tenant, request.recorded);
    return replaySession(judge, steps, tried, request.tenant);
  }
  const { facts, content } = request;
  if (facts === undefined) throw new PosternError('invalid-argument', 'facts are missing');
  const client = facts.origin?.clientAddress ?? '';
  if (isIP(client) === 0)
    throw new PosternError(
      'invalid-argument',
      `client address ${JSON.stringify(client)} is not allowed; expected an IP address`,
    );
  const snapshot = tried;
  const terms = termsFor(request, snapshot);
  const session = describedSession(facts, terms);
  refuseForeign(request, session, snapshot);
  const addresses = facts.recipients.map(({ address }) => address);
  const course = new SessionCourse(
    { judge, snapshot, terms, clock, maxHops, maxLineLength, deadlineMs },
    session,
    addresses,
    content,
  );
  const told = await course.run();
  return request.tenant === '' ? told : shownSimulation(told, course.facts, request.tenant);
}

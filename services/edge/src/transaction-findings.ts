/**
 * What policy found of one transaction, as policy needs it back and as the message tells it. Rules may match every recipient, so their findings grow with
 * rules times recipients: those of recipients that were refused go, recipients of whom the rules said the same share them, and while recipients still come
 * policy hears only what one recipient's rules can mean for another. Invariant: order is kept for each recipient, since later edits rest on earlier ones.
 */
import type { Finding, SessionFacts, SharedFindings } from '@postern/proto/policy/v1/policy_service';

/** Findings of checks: a client cannot make many of them matter. */
const mostOfChecks = 256;
/** Findings of rules about recipients, counted for each: beyond it no more recipients are taken. */
export const mostOfRules = 100_000;
/** Findings told with the message. */
const mostTold = 5_000;

/** Decided about one recipient, felt by others: a check left out or asked for, a size not all take. */
const feltByOthers: ReadonlySet<string> = new Set(['skip', 'run', 'setLimit']);
/** What became of the message for somebody: told first. */
const decisive: ReadonlySet<string> = new Set(['quarantine', 'hold', 'discard', 'redirect', 'dropRecipient']);

interface Shared {
  /** About the first of them. */
  readonly findings: readonly Finding[];
  readonly addresses: string[];
  /** Their places among the recipients taken. */
  readonly places: number[];
}

const isOfRule = ({ check }: Finding): boolean => check === 'rule';
const isOfOne = (finding: Finding): boolean => isOfRule(finding) && finding.recipient !== '';

/** Equal for recipients of whom the same was said, whoever they are and however long it took. */
const signatureOf = (findings: readonly Finding[]): string =>
  JSON.stringify(
    findings.map(({ rule, outcome, action, stage, evidence }) => [rule, outcome, action, stage, evidence]),
  );

export class TransactionFindings {
  /** Of checks, and of rules about the message as a whole. */
  #common: Finding[];
  /** Of rules about recipients that are not settled yet, or at the end of data. */
  #fresh = new Map<string, Finding[]>();
  readonly #shared = new Map<string, Shared>();
  #ofRules = 0;

  /** `ofSession`: of the session's own stages, judged before. */
  constructor(ofSession: readonly Finding[]) {
    this.#common = [...ofSession];
  }

  /** There is no room for one more recipient. */
  get isFull(): boolean {
    return this.#ofRules >= mostOfRules;
  }

  learn(findings: readonly Finding[]): void {
    for (const finding of findings) {
      if (!isOfOne(finding)) this.#common.push(finding);
      else {
        const own = this.#fresh.get(finding.recipient);
        if (own === undefined) this.#fresh.set(finding.recipient, [finding]);
        else own.push(finding);
      }
    }
    // Findings of rules carry edits and skips to the end of data: when something must go, it is not them.
    if (this.#common.length <= mostOfChecks) return;
    let room = mostOfChecks - this.#common.filter(isOfRule).length;
    this.#common = this.#common.filter((finding) => isOfRule(finding) || room-- > 0);
  }

  /** A recipient was taken, as the one at `place`. */
  take(address: string, place: number): void {
    const findings = this.#fresh.get(address);
    if (findings === undefined) return;
    this.#fresh.delete(address);
    this.#ofRules += findings.length;
    const signature = signatureOf(findings);
    const alike = this.#shared.get(signature);
    if (alike === undefined) this.#shared.set(signature, { findings, addresses: [address], places: [place] });
    else {
      alike.addresses.push(address);
      alike.places.push(place);
    }
  }

  /** Every recipient asked about is taken or refused: of the refused nothing is kept. */
  settle(isTaken: (address: string) => boolean): void {
    this.#fresh.clear();
    this.#common = this.#common.filter(({ recipient }) => recipient === '' || isTaken(recipient));
  }

  /** For policy: everything at the end of data, else what matters for recipients to come. */
  carried(atContent: boolean): Pick<SessionFacts, 'findings' | 'sharedFindings'> {
    const single: Finding[] = [];
    const sharedFindings: SharedFindings[] = [];
    for (const { findings, places } of this.#shared.values()) {
      const felt = atContent ? findings : findings.filter(({ action }) => feltByOthers.has(action));
      if (felt.length === 0) continue;
      if (places.length === 1) single.push(...felt);
      else sharedFindings.push({ findings: felt.map((one) => ({ ...one, recipient: '' })), recipients: [...places] });
    }
    return { findings: single.length === 0 ? this.#common : [...this.#common, ...single], sharedFindings };
  }

  /** What a refusal of this recipient may rest on. */
  about(address: string): readonly Finding[] {
    const own = this.#fresh.get(address);
    return own === undefined ? this.#common : [...this.#common, ...own];
  }

  /** All of them, each about one recipient or the message; bounded. */
  told(): Finding[] {
    const room = mostTold - this.#common.length;
    const fresh = [...this.#fresh.values()].flat();
    if (this.#ofRules + fresh.length <= room) return [...this.#common, ...this.#spread(() => true), ...fresh];
    const first = [...this.#spread(({ action }) => decisive.has(action)), ...fresh];
    const rest = this.#spread(({ action }) => !decisive.has(action));
    return [...this.#common, ...[...first, ...rest].slice(0, room)];
  }

  #spread(accept: (finding: Finding) => boolean): Finding[] {
    return [...this.#shared.values()].flatMap(({ findings, addresses }) =>
      addresses.flatMap((recipient) => findings.filter(accept).map((finding) => ({ ...finding, recipient }))),
    );
  }
}

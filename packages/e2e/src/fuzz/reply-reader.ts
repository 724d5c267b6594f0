/**
 * Reads what a server says and judges its form (RFC 5321 §4.2, RFC 2034): CRLF line ends, at most 512 octets a line, a known code class, one code per
 * reply, an enhanced code of the same class where one is due, no control bytes, and every refusal ending in the id of the session.
 */

export interface FuzzReply {
  readonly code: number;
  readonly lines: readonly string[];
}

const longestLine = 512;
const lineForm = /^([2-5]\d\d)([ -])(.*)$/s;
const enhancedForm = /^([245])\.\d{1,3}\.\d{1,3} /;
const sessionForm = / \(([0-9A-Z]{26})\)$/;
/** Codes whose replies carry no enhanced code: greeting, EHLO, and intermediate ones. */
const mayBeBare = new Set([220, 250, 334, 354]);

export class ReplyReader {
  readonly problems: string[] = [];
  #held: Buffer = Buffer.alloc(0);
  #lines: string[] = [];
  #code = '';
  #session = '';

  /** Replies that are now whole. */
  feed(chunk: Buffer): FuzzReply[] {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const whole: FuzzReply[] = [];
    for (let end = this.#held.indexOf(0x0a); end !== -1; end = this.#held.indexOf(0x0a)) {
      const line = this.#held.subarray(0, end + 1);
      this.#held = this.#held.subarray(end + 1);
      const reply = this.#line(line);
      if (reply !== undefined) whole.push(reply);
    }
    if (this.#held.length > longestLine) this.#problem('a line without end', this.#held);
    return whole;
  }

  /** To be asked at the end of the connection: a reply must not be cut. */
  finish(): void {
    if (this.#held.length > 0) this.#problem('cut in a line', this.#held);
    else if (this.#lines.length > 0) this.problems.push(`cut between the lines of a ${this.#code} reply`);
  }

  #problem(what: string, line: Buffer): void {
    this.problems.push(`${what}: ${JSON.stringify(line.subarray(0, 200).toString('latin1'))}`);
  }

  #line(line: Buffer): FuzzReply | undefined {
    if (line.length > longestLine) this.#problem(`a line of ${line.length} octets`, line);
    if (line[line.length - 2] !== 0x0d) this.#problem('a bare LF', line);
    const body = line.subarray(0, -2);
    const text = body.toString('utf8');
    if (body.some((octet) => octet < 0x20 || octet === 0x7f)) this.#problem('a control byte', line);
    const [, code = '', mark = '', rest = ''] = lineForm.exec(text) ?? [];
    if (code === '') {
      this.#problem('not a reply', line);
      return undefined;
    }
    if (this.#lines.length > 0 && code !== this.#code) this.#problem(`code changed within a ${this.#code} reply`, line);
    this.#code = code;
    this.#lines.push(rest);
    this.#enhanced(Number(code), rest, line);
    if (mark === '-') return undefined;
    if (code >= '400') this.#refusal(rest, line);
    const reply = { code: Number(code), lines: this.#lines };
    this.#lines = [];
    return reply;
  }

  #enhanced(code: number, text: string, line: Buffer): void {
    const given = enhancedForm.exec(`${text} `)?.[1];
    if (given === undefined) {
      if (!mayBeBare.has(code)) this.#problem('no enhanced code', line);
    } else if (given !== String(code)[0]) this.#problem('an enhanced code of another class', line);
  }

  #refusal(text: string, line: Buffer): void {
    const session = sessionForm.exec(text)?.[1];
    if (session === undefined) this.#problem('no session id', line);
    else if (this.#session !== '' && session !== this.#session) this.#problem('another session id', line);
    else this.#session = session;
  }
}

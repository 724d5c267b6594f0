/** What a simulated session tells: the verdict of each stage, and each reply as a client would read it. Written in order, read at the end. */
import type {
  EvaluateResponse,
  SimulatedReply,
  SimulateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { cleanReplyText, type Reply } from '@postern/smtp-core';

export class CourseRecord {
  readonly #stages: EvaluateResponse[] = [];
  readonly #asked: SimulateResponse['asked'] = [];
  readonly #replies: SimulatedReply[] = [];
  /** The client reads more than ASCII. */
  smtputf8 = false;

  get told(): Pick<SimulateResponse, 'stages' | 'asked' | 'replies'> {
    return { stages: this.#stages, asked: this.#asked, replies: this.#replies };
  }

  show(stages: Stage[], verdict: EvaluateResponse): void {
    this.#stages.push(verdict);
    this.#asked.push({ stages, bodyMissing: false });
  }

  say(stage: Stage, { code, enhanced, text }: Reply, decidedBy: string, recipient = ''): void {
    const line = typeof text === 'string' ? text : (text[0] ?? '');
    const said = cleanReplyText(line, this.smtputf8);
    this.#replies.push({ stage, recipient, replyCode: code, enhancedCode: enhanced ?? '', text: said, decidedBy });
  }
}

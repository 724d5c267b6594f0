/**
 * What is wrong with a configuration: one line per problem with place, field, value and what is allowed.
 * The value of a secret never reaches a message.
 */
import { PosternError } from '@postern/errors';

export interface Problem {
  /** `file:line`, `env NAME` or `argument`. */
  readonly place: string;
  /** `edge.listeners[0].port`, empty for the document as a whole. */
  readonly path: string;
  readonly message: string;
}

const shownProblems = 20;

export class ConfigError extends PosternError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.slice(0, shownProblems).map(problemLine);
    if (problems.length > shownProblems) lines.push(`and ${problems.length - shownProblems} more`);
    super('config-invalid', lines.join('\n'));
    this.problems = problems;
    this.message = lines.join('\n');
  }
}

export function problemLine(problem: Problem): string {
  return [problem.place, problem.path, problem.message].filter((part) => part !== '').join(': ');
}

const shownLength = 60;

/** A refused value for a message: short, on one line, without credentials in it. */
export function quoteValue(value: unknown): string {
  const text = typeof value === 'string' ? maskCredentials(value) : value;
  const json = JSON.stringify(text) ?? String(text);
  return json.length > shownLength ? `${json.slice(0, shownLength)}…` : json;
}

/** `scheme://user:secret@host` without the secret. */
export function maskCredentials(text: string): string {
  return text.replace(/(\/\/[^/@:\s]*):[^@\s]*@/g, '$1:***@');
}

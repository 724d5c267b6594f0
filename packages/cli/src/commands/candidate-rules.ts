/**
 * Rules that posternctl simulate tries in place of the saved ones: those of each --rule file, read once, since a file may be standard input. A mistake
 * the service finds in one of them is told with its file and line, and with its name where the file has several.
 */
import { basename, extname } from 'node:path';
import { isPosternError } from '@postern/errors';
import { type RuleText, readRuleFile, ruleSection, withoutOwner } from '../rule-file.js';
import { PlainError } from '../usage-error.js';
import type { SimulateOptions } from './simulate-options.js';

export interface CandidateRule {
  readonly id: string;
  readonly document: string;
  readonly target?: string;
}

interface Place {
  /** As it is told. */
  readonly file: string;
  readonly line: number;
  /** Of a file that has several. */
  readonly rule: string | undefined;
}

export interface CandidateRules {
  readonly rules: readonly CandidateRule[];
  naming<T>(work: Promise<T>): Promise<T>;
}

/** Of services before this release the first word, which does not say of which rule it is. */
const mistake = /^(?:rule|candidates\[(\d+)\])\.document(?::(\d+))?: /gm;

export function candidateRules({ rule, domain, tenant }: SimulateOptions): CandidateRules {
  const places: Place[] = [];
  const rules = rule.flatMap((file) => {
    const text = readRuleFile(file);
    const named = basename(file, extname(file));
    const found: readonly RuleText[] = ruleSection(text) ?? [{ id: named, document: text, line: 1 }];
    return found.map(({ id, document, line }, index): CandidateRule => {
      const owned = withoutOwner(document);
      const name = id === '' ? `${named}-${index + 1}` : id;
      if (owned.tenant !== undefined && owned.tenant !== tenant)
        throw new PlainError(
          `rule file ${file}: rule ${name} is of tenant ${owned.tenant}; try it with --tenant ${owned.tenant}`,
        );
      const target = domain ?? owned.scope;
      places.push({ file: file === '-' ? 'standard input' : file, line, rule: found.length > 1 ? name : undefined });
      return { id: name, document: owned.document, ...(target === undefined ? {} : { target }) };
    });
  });
  return { rules, naming: (work) => naming(places, work) };
}

async function naming<T>(places: readonly Place[], work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isPosternError(error, 'invalid-argument') || error.detail.search(mistake) !== 0) throw error;
    const told = error.detail.replace(mistake, (text, index: string | undefined, line: string | undefined) => {
      const place = index === undefined && places.length > 1 ? undefined : places[Number(index ?? 0)];
      return place === undefined ? text : textOf(place, line);
    });
    throw new PlainError(told);
  }
}

const textOf = ({ file, line, rule }: Place, within: string | undefined): string =>
  [
    within === undefined ? file : `${file}:${line + Number(within) - 1}`,
    ...(rule === undefined ? [] : [`rule ${rule}`]),
    '',
  ].join(': ');

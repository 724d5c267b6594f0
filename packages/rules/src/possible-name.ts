/**
 * Names and parts of names that no domain has: `sender.domain.contains("ö")` where the fact is in A-labels, `inDomain(".a.test")`, `sender.domain == "@a.test"`.
 * So are capital letters of a pattern where there are none. Such a condition never holds. Found when a rule is saved, as impossible values are (possible-value.ts).
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { domainToAscii, isAscii } from '@postern/smtp-core';
import { type Complaint, factNameOf } from './expression-walk.js';
import { domainForm, partFunctions, partInForm } from './fact-form.js';
import { factEntry } from './fact-table.js';
import { patternCase } from './pattern-case.js';

type Mistake = Pick<Complaint, 'message' | 'hint'>;

export function impossibleNames(nodes: readonly ASTNode[]): Complaint[] {
  return nodes.flatMap((node) => {
    switch (node.op) {
      case 'rcall': {
        const [compares, fact, [constant]] = node.args;
        return constant === undefined
          ? []
          : complaints(constant, (text) => partMistake(compares, factNameOf(fact), text));
      }
      case 'in':
        return wholeNames(node.args[0], node.args[1]);
      case '==':
      case '!=':
        return [...wholeNames(node.args[0], node.args[1]), ...wholeNames(node.args[1], node.args[0])];
      default:
        return [];
    }
  });
}

function complaints(constant: ASTNode, mistakeIn: (text: string) => Mistake | undefined): Complaint[] {
  if (constant.op === 'list') return constant.args.flatMap((item) => complaints(item, mistakeIn));
  if (constant.op !== 'value' || typeof constant.args !== 'string') return [];
  const mistake = mistakeIn(constant.args);
  return mistake === undefined ? [] : [{ offset: constant.start, ...mistake }];
}

/** The null reverse-path has none. */
function wholeNames(fact: ASTNode, constant: ASTNode): Complaint[] {
  const name = factNameOf(fact);
  if (name === undefined || factEntry(name)?.form !== 'domain') return [];
  return complaints(constant, (text) =>
    text === '' || isName(text) ? undefined : { message: `${name} is never ${shown(text)}`, hint: domainInstead(text) },
  );
}

function partMistake(compares: string, name: string | undefined, text: string): Mistake | undefined {
  if (compares === 'inDomain')
    return isName(text) ? undefined : { message: `nothing is in ${shown(text)}`, hint: domainInstead(text) };
  const entry = factEntry(name ?? '');
  if (name === undefined || entry === undefined || text === '') return undefined;
  if (compares === 'rx') return entry.form === undefined ? undefined : patternMistake(name, text);
  if (!partFunctions.has(compares)) return undefined;
  if (entry.form === undefined)
    return entry.lower === true && text !== text.toLowerCase()
      ? { message: `${name} is always in lower case`, hint: `write ${shown(text.toLowerCase())}` }
      : undefined;
  if (compares === 'endsWith' && entry.form !== 'user') return endMistake(name, entry.form, text);
  if (entry.form === 'address') return domainMistake(name, text);
  if (entry.form !== 'domain') return undefined;
  if (!isAscii(partInForm(entry.form, compares, text)))
    return {
      message: `${name} is in A-labels and never has ${shown(text)}`,
      hint: 'compare the whole name, with == or inDomain',
    };
  return /\.\.|[^\w.[\]:-]/.test(text) || (compares === 'startsWith' && text.startsWith('.'))
    ? { message: `${name} never has ${shown(text)}`, hint: 'write a part of a domain' }
    : undefined;
}

function patternMistake(name: string, pattern: string): Mistake | undefined {
  if (patternCase(pattern) !== 'class') return undefined;
  const spelled = `${name.split('.')[0]}.spelled`;
  const instead = !name.endsWith('.domain') && factEntry(spelled) !== undefined;
  return {
    message: `${name} is in lower case and never has a capital letter`,
    hint: `write small letters${instead ? `, or ask for ${spelled}` : ''}`,
  };
}

/** What stands behind the @ of an address begins its domain. */
function domainMistake(name: string, text: string): Mistake | undefined {
  const at = text.lastIndexOf('@');
  if (at < 0 || isAscii(text.slice(at + 1))) return undefined;
  return {
    message: `${name} has its domain in A-labels and never has ${shown(text)}`,
    hint: 'compare the whole address with ==, or its end with endsWith',
  };
}

/** Of an address what stands behind its @ is all of a domain, else the end of one. */
function endMistake(name: string, form: 'domain' | 'address', text: string): Mistake | undefined {
  const at = form === 'address' ? text.lastIndexOf('@') : -1;
  const end = text.slice(at + 1);
  if (at >= 0 ? isName(end) || end === '' : isEndOfName(end)) return undefined;
  const meant = meantBy(end, /^.*[^.\p{L}\p{N}_-](?=[.\p{L}\p{N}])/u) ?? '.example.test';
  return { message: `${name} never ends with ${shown(text)}`, hint: `write the end of a domain, such as ${meant}` };
}

const isName = (text: string): boolean => domainToAscii(domainForm(text)) !== null;

/** It may begin within a label, or be the end of an address in brackets. */
function isEndOfName(text: string): boolean {
  const name = text.startsWith('.') ? text.slice(1) : text;
  return text.endsWith(']') || isName(name) || (isAscii(name) && name !== '' && isName(`x${name}`));
}

const shown = (text: string): string => JSON.stringify(text);

function meantBy(text: string, before: RegExp): string | undefined {
  const meant = text.replace(before, '');
  return meant !== '' && isEndOfName(meant) ? meant : undefined;
}

function domainInstead(text: string): string {
  const host = text.replace(/^\w+:\/\//, '').replace(/\/.*$/, '');
  const meant = meantBy(host, /^(?:.*@)?[.*]*/) ?? 'example.test';
  return `write a domain, such as ${meant}`;
}

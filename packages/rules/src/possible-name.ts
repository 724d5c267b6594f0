/**
 * Parts of names that no name has: `sender.domain.contains("ö")` where the fact is in A-labels, `inDomain(".a.test")`. Such a condition never holds. Found
 * when a rule is saved, as impossible values are (possible-value.ts).
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { isAscii } from '@postern/smtp-core';
import { type Complaint, factNameOf } from './expression-walk.js';
import { domainForm, partFunctions, partInForm } from './fact-form.js';
import { factEntry } from './fact-table.js';

type Mistake = Pick<Complaint, 'message' | 'hint'>;

export function impossibleNames(nodes: readonly ASTNode[]): Complaint[] {
  return nodes.flatMap((node) => {
    if (node.op !== 'rcall') return [];
    const [compares, fact, [constant]] = node.args;
    if (constant?.op !== 'value' || typeof constant.args !== 'string') return [];
    const mistake = mistakeIn(compares, factNameOf(fact), constant.args);
    return mistake === undefined ? [] : [{ offset: constant.start, ...mistake }];
  });
}

function mistakeIn(compares: string, name: string | undefined, text: string): Mistake | undefined {
  if (compares === 'inDomain') return noDomain(text);
  const entry = factEntry(name ?? '');
  if (name === undefined || entry === undefined || !partFunctions.has(compares)) return undefined;
  const shown = JSON.stringify(text);
  if (entry.form === undefined)
    return entry.lower === true && text !== text.toLowerCase()
      ? { message: `${name} is always in lower case`, hint: `write ${JSON.stringify(text.toLowerCase())}` }
      : undefined;
  if (entry.form !== 'domain' || isAscii(partInForm(entry.form, compares, text))) return undefined;
  return compares === 'endsWith'
    ? { message: `${name} never ends with ${shown}`, hint: 'write the end of a domain' }
    : { message: `${name} is in A-labels and never has ${shown}`, hint: 'compare the whole name, with == or inDomain' };
}

function noDomain(text: string): Mistake | undefined {
  if (text !== '' && !/^[.*]|@/.test(text) && isAscii(domainForm(text))) return undefined;
  const meant = text.slice(text.lastIndexOf('@') + 1).replace(/^[.*]+/, '');
  const hint = `write a domain, such as ${meant !== '' && isAscii(domainForm(meant)) ? meant : 'example.test'}`;
  return { message: `nothing is in ${JSON.stringify(text)}`, hint };
}

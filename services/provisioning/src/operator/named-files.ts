/** Files an operator document names (passwords, keys): each must be readable by us when the document is taken, so that a wrong path is said by field. */
import { accessSync, constants } from 'node:fs';
import type { ReferenceProblem } from './references.js';
import type { OperatorDocument } from './schema.js';

type Path = readonly (string | number)[];

function* filesOf(document: OperatorDocument): Generator<readonly [Path, string | undefined]> {
  for (const [name, { hosts }] of Object.entries(document.nextHops)) {
    for (const [index, host] of hosts.entries())
      yield [['nextHops', name, 'hosts', index, 'passwordFile'], host.passwordFile];
  }
  for (const [number, tenant] of document.tenants.entries()) {
    const at = ['tenants', number];
    for (const [index, user] of tenant.users.entries())
      yield [[...at, 'users', index, 'passwordFile'], user.passwordFile];
    for (const [index, domain] of tenant.domains.entries())
      for (const [key, { keyFile }] of domain.dkim.entries())
        yield [[...at, 'domains', index, 'dkim', key, 'keyFile'], keyFile];
    for (const [index, route] of tenant.routes.entries())
      for (const [hop, host] of route.hosts.entries())
        yield [[...at, 'routes', index, 'hosts', hop, 'passwordFile'], host.passwordFile];
  }
}

export function fileProblems(document: OperatorDocument): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  for (const [path, file] of filesOf(document)) {
    if (file === undefined) continue;
    try {
      accessSync(file, constants.R_OK);
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
      problems.push({ path, message: `${JSON.stringify(file)} cannot be read (${reason}); expected a readable file` });
    }
  }
  return problems;
}

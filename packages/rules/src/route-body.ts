/** The body of `route`: another next hop, or other ways to the one there is. What each combination means is settled here, once. */
import type { Action, RouteAction } from './action.js';
import type { Fields } from './fields.js';

const hopName = (fields: Fields, field: string): string | undefined =>
  fields.has(field) ? fields.text(field, undefined, 128) : undefined;

function nextOf(fields: Fields): RouteAction['next'] {
  const name = hopName(fields, 'to');
  if (fields.has('to') && fields.has('host')) fields.fail('host', 'is given beside to', 'one of the two');
  if (!fields.has('host')) {
    for (const field of ['port', 'login'])
      if (fields.has(field)) fields.fail(field, 'needs host', 'a next hop of the configuration has its own');
    return name === undefined ? { kind: 'unchanged' } : { kind: 'named', name };
  }
  const host = fields.host('host');
  return { kind: 'host', host, port: fields.integer('port', [1, 65_535], 25), login: hopName(fields, 'login') };
}

export function routeBody(fields: Fields): Action {
  const tls = fields.has('tls')
    ? fields.oneOf('tls', ['none', 'opportunistic', 'required', 'verified', 'implicit'])
    : undefined;
  const tlsVersions = fields.someOf('tlsVersions', ['TLSv1.2', 'TLSv1.3']);
  if (tls === 'none' && tlsVersions.length > 0)
    fields.fail('tlsVersions', 'names versions of what is switched off', 'another tls, or no versions');
  const pool = fields.has('egressPool') ? fields.text('egressPool', undefined, 64) : undefined;
  if (pool !== undefined && !/^[A-Za-z0-9_-]*$/.test(pool))
    fields.fail('egressPool', 'is not the name of a pool', 'letters, digits, - and _');
  const made: RouteAction = {
    ...{ kind: 'route', next: nextOf(fields), tls, tlsVersions },
    sourceAddress: fields.ip('sourceAddress'),
    helo: fields.has('helo') ? fields.host('helo') : undefined,
    egressPool: pool,
  };
  const { next, sourceAddress, helo } = made;
  const says = [tls, sourceAddress, helo, pool].some((value) => value !== undefined) || tlsVersions.length > 0;
  if (next.kind === 'unchanged' && !says)
    fields.fail('', 'says nothing', 'to, host, tls, tlsVersions, sourceAddress, helo or egressPool');
  return made;
}

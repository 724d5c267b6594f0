/** Names that have to be there for what was asked: said with the way to make them, and an empty list is not mistaken for an answer. */
import { isPosternError } from '@postern/errors';
import type { Api } from './api.js';
import { PlainError } from './usage-error.js';

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);

/** Work that makes an address: a domain that is not there is said with how to add it. */
export async function inKnownDomain<T>(address: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isPosternError(error, 'not-found') || !error.detail.startsWith('domain ')) throw error;
    throw new PlainError(`${error.detail}; add it first: posternctl domain add ${domainOf(address)} --tenant NAME`);
  }
}

/** A list that is empty because the tenant or domain it was asked for does not exist fails with that. */
export async function assertFilter(
  api: Api,
  rows: readonly unknown[],
  filter: { readonly tenant?: string; readonly domain?: string },
): Promise<void> {
  if (rows.length > 0) return;
  if (filter.tenant !== undefined && filter.tenant !== '') await api.call(api.rpc.getTenant, { name: filter.tenant });
  if (filter.domain !== undefined && filter.domain !== '') await api.call(api.rpc.getDomain, { name: filter.domain });
}

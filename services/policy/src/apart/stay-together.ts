/** Whose recipients stay together although their content could be refused one without the other: the setting `differingContent`. */
import { DifferingContent, type Snapshot } from '@postern/proto/config/v1/snapshot';

/** By the tenants of both. */
export type StayTogether = (one: string, other: string) => boolean;

export function stayTogether({
  differingContent,
  tenants,
}: Pick<Snapshot, 'differingContent' | 'tenants'>): StayTogether {
  const otherwise = differingContent === DifferingContent.TOGETHER;
  const differing = new Set(
    tenants
      .filter((tenant) => tenant.differingContent !== DifferingContent.UNSPECIFIED)
      .filter((tenant) => (tenant.differingContent === DifferingContent.TOGETHER) !== otherwise)
      .map(({ name }) => name),
  );
  const says = (tenant: string): boolean => differing.has(tenant) !== otherwise;
  return (one, other) => says(one) && says(other);
}

/** The setting `differingContent` as the snapshot carries it. */
import { DifferingContent } from '@postern/proto/config/v1/snapshot';
import type { OperatorDocument } from '../operator/schema.js';

const values = {
  split: DifferingContent.SPLIT,
  together: DifferingContent.TOGETHER,
} as const;

export const differingContentOf = ({ differingContent }: OperatorDocument): DifferingContent =>
  values[differingContent];

/** Of a tenant the file says nothing about: as for everybody. */
export function differingContentOfTenant({ tenants }: OperatorDocument, name: string): DifferingContent {
  const said = tenants.find((tenant) => tenant.name === name)?.differingContent;
  return said === undefined ? DifferingContent.UNSPECIFIED : values[said];
}

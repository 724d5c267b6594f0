/** What rules may know of the parts of a message: how many, of which types, which attachments, the size of the largest. RFC 2045. */
export interface MimeFacts {
  readonly parts: number;
  readonly types: readonly string[];
  readonly attachments: readonly string[];
  readonly largestAttachment: number;
}

/** What rules may know of the parts of a message: how many, of which types, which attachments, the size of the largest, whether all were seen. RFC 2045. */
export interface MimeFacts {
  readonly parts: number;
  readonly types: readonly string[];
  /** Every name that some mail program may show, several of one attachment where programs differ; '' for one without. */
  readonly attachments: readonly string[];
  readonly largestAttachment: number;
  /** Undefined = every part was seen. */
  readonly incomplete: Incomplete | undefined;
}

/** The bound at which looking into a message ended: nothing is known of what lies behind it. */
export type Incomplete = 'parts' | 'depth' | 'part header' | 'names';

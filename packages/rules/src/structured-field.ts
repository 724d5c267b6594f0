/** Header fields of which a part is text and a part is not: encoding all of it, or words before it, would break the address or the parameter (RFC 2047 §5). */
const structured =
  /^(?:(?:resent-)?(?:from|to|cc|bcc|sender|reply-to|date|message-id)|references|in-reply-to|mime-version|content-.*|list-.*|dkim-signature)$/i;

export const isStructuredField = (name: string): boolean => structured.test(name);

/**
 * An error as one line for a person at a terminal: the message and, when it adds something, its causes.
 */
export function failureText(error: unknown): string {
  const parts: string[] = [];
  for (let link: unknown = error; link !== undefined && parts.length < 4; ) {
    const text = link instanceof Error ? link.message || link.name : String(link);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    link = link instanceof Error ? link.cause : undefined;
  }
  return parts.join(': ').replace(/\s*\n\s*/g, '; ');
}

/** What the person typed is wrong: one line, exit code 2. Everything else that fails is exit code 1. */
export class UsageError extends Error {}

/** Something outside is wrong and the message says what to do: one line, exit code 1. */
export class PlainError extends Error {}

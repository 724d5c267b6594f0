/** A password written in the operator file, or in a file it names. Its value never reaches a message. */
import { readSecret } from '@postern/config';

export interface PasswordSource {
  readonly password?: string;
  readonly passwordFile?: string;
}

export async function givenPassword(source: PasswordSource): Promise<string | undefined> {
  if (source.password !== undefined) return source.password;
  return source.passwordFile === undefined ? undefined : readSecret(source.passwordFile);
}

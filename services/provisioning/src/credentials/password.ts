/**
 * Password verifiers: argon2id (PHC form) for PLAIN and LOGIN, SCRAM-SHA-256 (salt, StoredKey, ServerKey; RFC 5802 §3, RFC 7677) for
 * challenge mechanisms. Hashing runs on libuv's threads, never on the event loop; how many at once is bounded by `hash-slots.ts`.
 */
// By its default export: a name that an older Node does not have would end the process before it can say so.
import crypto, { type Argon2Parameters, createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '@postern/clock';

const derive = promisify(pbkdf2);
const memoryKiB = 19_456;
const passes = 2;
const parallelism = 1;
const tagBytes = 32;
export const scramIterations = 4_096;

export interface Verifiers {
  /** `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
  readonly password: string;
  /** `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`, base64. */
  readonly scram: string;
}

/** RFC 8265 §4.2 OpaqueString, without its tables: NFC, and every non-ASCII space is a space. */
export const normalise = (password: string): string => password.replace(/\p{Zs}/gu, ' ').normalize('NFC');

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '');

function argon(parameters: Argon2Parameters): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    crypto.argon2('argon2id', parameters, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

export async function hashPassword(password: string, random: Random): Promise<Verifiers> {
  const message = normalise(password);
  const nonce = random.bytes(16);
  const tag = await argon({ message, nonce, parallelism, tagLength: tagBytes, memory: memoryKiB, passes });
  const phc = `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${base64(nonce)}$${base64(tag)}`;
  return { password: phc, scram: await scramVerifier(message, random.bytes(16)) };
}

async function scramVerifier(password: string, salt: Buffer): Promise<string> {
  const salted = await derive(password, salt, scramIterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  const storedKey = createHash('sha256').update(clientKey).digest('base64');
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64');
  return `SCRAM-SHA-256$${scramIterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** With and without channel binding the verifiers are the same (RFC 7677). */
export const isScram = (mechanism: string): boolean => /^SCRAM-SHA-256(?:-PLUS)?$/i.test(mechanism);

export function readScramVerifier(text: string): ScramVerifier | undefined {
  const match = /^SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/.exec(text);
  if (match === null) return undefined;
  const [, iterations = '', salt = '', storedKey = '', serverKey = ''] = match;
  const bytes = (part: string): Buffer => Buffer.from(part, 'base64');
  return {
    iterations: Number(iterations),
    salt: bytes(salt),
    storedKey: bytes(storedKey),
    serverKey: bytes(serverKey),
  };
}

const phcForm =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** False also for a verifier that cannot be read. */
export async function verifyPassword(password: string, verifier: string): Promise<boolean> {
  const match = phcForm.exec(verifier);
  if (match === null) return false;
  const [, memory = '', time = '', lanes = '', salt = '', hash = ''] = match;
  const expected = Buffer.from(hash, 'base64');
  const tag = await argon({
    message: normalise(password),
    nonce: Buffer.from(salt, 'base64'),
    parallelism: Number(lanes),
    tagLength: expected.length,
    memory: Number(memory),
    passes: Number(time),
  });
  return timingSafeEqual(tag, expected);
}

/** A verifier nothing verifies against, as dear as a real one: unknown users cost the same as known ones. */
export function fakeVerifier(random: Random): string {
  const salt = base64(random.bytes(16));
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${salt}$${base64(random.bytes(tagBytes))}`;
}

/**
 * What may be written to a log: mail addresses by setting, secrets never, errors without their object graph.
 * A field is judged by its name; names come from source code, so the verdict is remembered per name.
 */
import { createHash } from 'node:crypto';
import { isPosternError } from '@postern/errors';

export type AddressForm = 'full' | 'domain' | 'hashed';

type FieldClass = 'plain' | 'address' | 'secret';

const addressNames = new Set([
  'address',
  'authenticated_user',
  'forward_path',
  'forward_paths',
  'header_from',
  'login',
  'mailbox',
  'recipient',
  'recipients',
  'reverse_path',
]);
const secretName = /(passw(or)?d|passphrase|secret|token|authorization|credential|private_key|cookie)s?$/i;
const classes = new Map<string, FieldClass>();
const rememberedNames = 2000;
const causeDepth = 4;

export function redactFields(fields: Readonly<Record<string, unknown>>, form: AddressForm): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    result[name] = redactField(classOf(name), value, form);
  }
  return result;
}

function redactField(fieldClass: FieldClass, value: unknown, form: AddressForm): unknown {
  if (fieldClass === 'secret') return '***';
  if (value instanceof Error) return describeError(value);
  if (fieldClass === 'plain' || form === 'full') return value;
  return Array.isArray(value)
    ? value.map((item) => redactAddress(String(item), form))
    : redactAddress(String(value), form);
}

export function redactAddress(address: string, form: AddressForm): string {
  const at = address.lastIndexOf('@');
  if (form === 'full' || address === '' || address === '<>') return address;
  const domain = at < 0 ? '' : address.slice(at);
  if (form === 'domain') return `***${domain}`;
  return `${createHash('sha256').update(address.toLowerCase()).digest('hex').slice(0, 12)}${domain}`;
}

/** An error as plain data; the chain of causes is cut after a few links. */
export function describeError(error: unknown, depth = causeDepth): unknown {
  if (!(error instanceof Error)) return String(error).slice(0, 500);
  return {
    type: error.name,
    ...(isPosternError(error) ? { id: error.id } : {}),
    ...('code' in error && typeof error.code !== 'object' ? { code: error.code } : {}),
    message: error.message,
    stack: error.stack,
    ...(error.cause === undefined || depth === 0 ? {} : { cause: describeError(error.cause, depth - 1) }),
  };
}

function classOf(name: string): FieldClass {
  const known = classes.get(name);
  if (known !== undefined) return known;
  const found = addressNames.has(name) ? 'address' : secretName.test(name) ? 'secret' : 'plain';
  if (classes.size < rememberedNames) classes.set(name, found);
  return found;
}

/**
 * libgssapi_krb5 through koffi: the calls an acceptor needs (RFC 2743, RFC 2744 bindings), on threads of their own, and nothing of SASL. Both the library and
 * koffi are optional: what is not there is an error of `openLibrary`. Pointers are koffi's, never looked into here; every buffer the library
 * gives is copied and given back.
 */
import type { KoffiFunc } from 'koffi';

/** Opaque: a context, name or credential of the library. */
export type Handle = bigint | number | null;

export interface Status {
  readonly major: number;
  readonly minor: number;
}

export interface Accepted extends Status {
  /** To be kept for the next step, also when this one failed. */
  readonly context: Handle;
  readonly source: Handle;
  readonly token: Buffer;
}

/** Where the library finds keys, and where it notes which tickets it has seen. */
export interface CredentialStore {
  readonly keytab: string;
  /** A file; undefined = where the library chooses. */
  readonly replayCache: string | undefined;
}

export interface GssLibrary {
  acquire(store: CredentialStore): Status & { readonly credential: Handle };
  accept(context: Handle, credential: Handle, token: Buffer): Promise<Accepted>;
  displayName(name: Handle): string | undefined;
  wrap(context: Handle, message: Buffer): Promise<Status & { readonly message: Buffer }>;
  unwrap(context: Handle, message: Buffer): Promise<Status & { readonly message: Buffer }>;
  describe(status: Status): string;
  deleteContext(context: Handle): void;
  releaseName(name: Handle): void;
  releaseCredential(credential: Handle): void;
}

interface OutBuffer {
  length: number;
  value: Handle;
}

const acceptOnly = 2;
const indefinite = 0xffff_ffff;
const mechanismCode = 2;
const generalCode = 1;

type Call = KoffiFunc<(...args: readonly unknown[]) => unknown>;

/** The call on a thread of koffi's; `held` stays reachable until it ends, since the library reads its memory. */
function onThread(call: Call, args: readonly unknown[], held: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, major: unknown) => {
      if (error !== null && error !== undefined && held.length >= 0) reject(error);
      else resolve(Number(major));
    });
  });
}

export async function openLibrary(path: string): Promise<GssLibrary> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load(path);
  const buffer = koffi.struct({ length: 'size_t', value: 'void *' });
  const element = koffi.struct({ key: 'const char *', value: 'const char *' });
  const credentialStore = koffi.pointer(koffi.struct({ count: 'uint32_t', elements: koffi.pointer(element) }));
  const pointer = 'void *';
  const int = 'int';
  const word = 'uint32_t';
  const input = koffi.pointer(buffer);
  const output = koffi.out(koffi.pointer(buffer));
  const number = koffi.out(koffi.pointer(word));
  const handle = koffi.out(koffi.pointer(pointer));
  const changed = koffi.inout(koffi.pointer(pointer));
  type Parameters = Parameter[];
  type Parameter = typeof input | typeof output | string;
  const call = (name: string, ...parameters: Parameters): Call =>
    library.func(`gss_${name}`, word, [number, ...parameters]);
  const acquire = call('acquire_cred_from', pointer, word, pointer, int, credentialStore, handle, pointer, pointer);
  const accept = call(
    'accept_sec_context',
    ...[changed, pointer, input, pointer, handle, pointer, output, pointer, pointer, pointer],
  );
  const displayName = call('display_name', pointer, output, pointer);
  const displayStatus = call('display_status', word, int, pointer, koffi.inout(koffi.pointer(word)), output);
  const wrap = call('wrap', pointer, int, word, input, pointer, output);
  const unwrap = call('unwrap', pointer, input, output, pointer, pointer);
  const releaseBuffer = call('release_buffer', koffi.inout(koffi.pointer(buffer)));
  const deleteContext = call('delete_sec_context', changed, pointer);
  const releaseName = call('release_name', changed);
  const releaseCredential = call('release_cred', changed);
  const copy: Call = library.func('memcpy', pointer, [koffi.out(koffi.pointer('uint8_t')), pointer, 'size_t']);
  // Kerberos alone: RFC 4752 is not for what SPNEGO would choose.
  const kerberos: Handle = koffi.decode(library.symbol('gss_mech_set_krb5'), 'void *');

  const empty = (): OutBuffer => ({ length: 0, value: null });
  const given = (octets: Buffer) => ({ length: octets.length, value: octets.length === 0 ? null : octets });
  const taken = (out: OutBuffer): Buffer => {
    const octets = Buffer.alloc(Number(out.length));
    if (octets.length > 0) copy(octets, out.value, octets.length);
    if (out.value !== null) releaseBuffer([0], out);
    return octets;
  };
  const describeOne = (value: number, type: number): string => {
    const text = empty();
    return displayStatus([0], value, type, null, [0], text) === 0 ? taken(text).toString('utf8') : '';
  };

  return {
    acquire({ keytab, replayCache }) {
      const minor = [0];
      const credential: Handle[] = [null];
      const elements = [{ key: 'keytab', value: `FILE:${keytab}` }];
      if (replayCache !== undefined) elements.push({ key: 'rcache', value: `file2:${replayCache}` });
      const from = { count: elements.length, elements };
      const major = Number(acquire(minor, null, indefinite, kerberos, acceptOnly, from, credential, null, null));
      return { major, minor: minor[0] ?? 0, credential: credential[0] ?? null };
    },
    async accept(context, credential, token) {
      const minor = [0];
      const contexts: Handle[] = [context];
      const sources: Handle[] = [null];
      const out = empty();
      const args = [minor, contexts, credential, given(token), null, sources, null, out, null, null, null];
      const major = await onThread(accept, args, token);
      return {
        major,
        minor: minor[0] ?? 0,
        context: contexts[0] ?? null,
        source: sources[0] ?? null,
        token: taken(out),
      };
    },
    displayName(name) {
      const text = empty();
      return displayName([0], name, text, null) === 0 ? taken(text).toString('utf8') : undefined;
    },
    async wrap(context, message) {
      const minor = [0];
      const out = empty();
      const major = await onThread(wrap, [minor, context, 0, 0, given(message), null, out], message);
      return { major, minor: minor[0] ?? 0, message: taken(out) };
    },
    async unwrap(context, message) {
      const minor = [0];
      const out = empty();
      const major = await onThread(unwrap, [minor, context, given(message), out, null, null], message);
      return { major, minor: minor[0] ?? 0, message: taken(out) };
    },
    describe({ major, minor }) {
      const texts = [describeOne(major, generalCode), minor === 0 ? '' : describeOne(minor, mechanismCode)];
      return texts.filter((text) => text !== '').join(': ') || `status ${major}.${minor}`;
    },
    deleteContext(context) {
      if (context !== null) deleteContext([0], [context], null);
    },
    releaseName(name) {
      if (name !== null) releaseName([0], [name]);
    },
    releaseCredential(credential) {
      if (credential !== null) releaseCredential([0], [credential]);
    },
  };
}

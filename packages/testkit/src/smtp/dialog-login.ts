/**
 * What a client computes in a login, for dialog files: `${word argument ...}` in a line is replaced before it is sent or compared. Client side, written
 * from the RFCs and not from the code under test.
 *   `${base64 text}`                escapes understood      `${plain USER PASSWORD}`         RFC 4616
 *   `${cram-md5 USER PASSWORD}`     RFC 2195                `${digest-md5 USER PASSWORD}`    RFC 2831; `${digest-md5-server}`: what the server must prove
 *   `${scram USER [n|y|p]}`         RFC 5802, RFC 7677: the first message with its GS2 flag, p bound by tls-exporter
 *   `${scram-proof PASSWORD}`       the last one;  `${scram-server}`: what the server must prove
 *   `${oauthbearer USER TOKEN}`     RFC 7628                `${xoauth2 USER TOKEN}`
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { bytesOf } from './dialog-escapes.js';
import type { RawClient } from './raw-client.js';

const base64 = (data: string | Buffer): string => Buffer.from(data).toString('base64');
const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
const md5 = (data: string | Buffer): Buffer => createHash('md5').update(data).digest();
const hexOfMd5 = (data: string): string => md5(data).toString('hex');
const clientNonce = 'fyko+d2lbbFgONRv9qkxdawL';

/** One exchange at a time: it hears the server's challenges and says the next word of the client. */
export class DialogLogin {
  #challenge = '';
  #gs2Header = 'n,,';
  #binding: Buffer = Buffer.alloc(0);
  #bareFirst = '';
  #serverProof = '';

  constructor(readonly client: RawClient) {}

  hear(reply: string): void {
    const [, data] = /^334 (.*)$/.exec(reply) ?? [];
    if (data !== undefined) this.#challenge = Buffer.from(data, 'base64').toString('utf8');
  }

  expand(line: string): string {
    return line.replace(/\$\{([a-z0-9-]+)(?: ([^}]*))?\}/g, (_all, word: string, text = '') => this.#say(word, text));
  }

  #say(word: string, text: string): string {
    const [user = '', secret = ''] = text.split(' ');
    switch (word) {
      case 'base64':
        return base64(Buffer.from(bytesOf(text), 'latin1'));
      case 'plain':
        return base64(`\0${user}\0${secret}`);
      case 'cram-md5':
        return base64(`${user} ${createHmac('md5', secret).update(this.#challenge).digest('hex')}`);
      case 'digest-md5':
        return this.#digest(user, secret);
      case 'scram':
        return this.#scram(user, secret === '' ? 'n' : secret);
      case 'scram-proof':
        return this.#scramProof(user);
      case 'digest-md5-server':
      case 'scram-server':
        return base64(this.#serverProof);
      case 'oauthbearer':
        return base64(`n,a=${user},\x01host=mail.test\x01auth=Bearer ${secret}\x01\x01`);
      case 'xoauth2':
        return base64(`user=${user}\x01auth=Bearer ${secret}\x01\x01`);
      default:
        throw new Error(`unknown word \${${word}}`);
    }
  }

  #digest(user: string, secret: string): string {
    const of = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(this.#challenge)?.[1] ?? '';
    const [realm, nonce, uri] = [of('realm'), of('nonce'), 'smtp/mail.test'];
    const key = md5(Buffer.concat([md5(`${user}:${realm}:${secret}`), Buffer.from(`:${nonce}:cn`)])).toString('hex');
    const proof = (method: string): string =>
      hexOfMd5(`${key}:${nonce}:00000001:cn:auth:${hexOfMd5(`${method}:${uri}`)}`);
    this.#serverProof = `rspauth=${proof('')}`;
    const names = `username="${user}",realm="${realm}",nonce="${nonce}",cnonce="cn",nc=00000001,qop=auth`;
    return base64(`${names},digest-uri="${uri}",response=${proof('AUTHENTICATE')}`);
  }

  #scram(user: string, flag: string): string {
    this.#gs2Header = flag === 'p' ? 'p=tls-exporter,,' : `${flag},,`;
    this.#binding = flag === 'p' ? this.client.tlsExporter() : Buffer.alloc(0);
    this.#bareFirst = `n=${user},r=${clientNonce}`;
    return base64(this.#gs2Header + this.#bareFirst);
  }

  #scramProof(password: string): string {
    const [, nonce = '', salt = '', rounds = '1'] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(this.#challenge) ?? [];
    const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256');
    const withoutProof = `c=${base64(Buffer.concat([Buffer.from(this.#gs2Header), this.#binding]))},r=${nonce}`;
    const said = `${this.#bareFirst},${this.#challenge},${withoutProof}`;
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), said);
    this.#serverProof = `v=${base64(hmac(hmac(salted, 'Server Key'), said))}`;
    const proof = Buffer.from(clientKey.map((octet, index) => octet ^ (signature[index] ?? 0)));
    return base64(`${withoutProof},p=${base64(proof)}`);
  }
}

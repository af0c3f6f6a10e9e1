import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

/** The client's side of one SCRAM-SHA-256 conversation (RFC 5802, RFC 7677), as PostgreSQL speaks it. */
export class ScramClient {
  readonly #password: string;
  readonly #nonce = randomBytes(18).toString('base64');
  #serverSignature: Buffer = Buffer.alloc(0);

  constructor(password: string) {
    this.#password = password;
  }

  /** The opening message. PostgreSQL ignores the user's name in it. */
  first(): string {
    return `n,,${this.#bare()}`;
  }

  /**
   * The proof that we know the password.
   *
   * @throws Error when the server's message does not continue our conversation
   */
  final(serverFirst: string): string {
    const { r: nonce, s: salt, i: rounds } = attributes(serverFirst);
    if (nonce === undefined || salt === undefined || !nonce.startsWith(this.#nonce)) {
      throw new Error('PostgreSQL sent a SCRAM message that does not belong to this conversation');
    }
    const withoutProof = `c=biws,r=${nonce}`;
    const signed = [this.#bare(), serverFirst, withoutProof].join(',');
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), signed);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), signed);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** @throws Error when the server does not know the password itself */
  verify(serverFinal: string): void {
    const signature = Buffer.from(attributes(serverFinal)['v'] ?? '', 'base64');
    if (
      signature.length !== this.#serverSignature.length ||
      !timingSafeEqual(signature, this.#serverSignature)
    ) {
      throw new Error('PostgreSQL did not prove that it knows the password');
    }
  }

  #bare(): string {
    return `n=,r=${this.#nonce}`;
  }
}

function attributes(message: string): Record<string, string | undefined> {
  return Object.fromEntries(message.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

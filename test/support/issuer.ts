import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export type SigningOptions = Readonly<{
  /** Absent: RS256 with the newest key. */
  alg?: string;
  key?: CryptoKey | Uint8Array;
  kid?: string;
}>;

/** An identity provider of OpenID Connect, in this process: it signs whatever it is asked to. */
export type Issuer = Readonly<{
  url: string;
  /** An ID token that is good for five minutes; `undefined` leaves a claim out. */
  token: (claims: Readonly<Record<string, unknown>>, options?: SigningOptions) => Promise<string>;
  /** Signs with another key from now on; the older ones are not published any more. */
  rotate: () => Promise<void>;
  /** The newest key that verifies, in PEM form. */
  publicKey: () => Promise<string>;
  /** How often a path was asked for. */
  asked: (path: string) => number;
  /** What becomes of its answers from now on. */
  behave: (state: 'well' | 'failing' | 'redirecting') => void;
  /** Who logs in next, and with which claims. */
  person: (claims: Readonly<Record<string, unknown>>) => void;
  /** What the next ID tokens of people have besides, or in place of what they should. */
  tamper: (claims: Readonly<Record<string, unknown>>) => void;
  close: () => Promise<void>;
}>;

export const CLIENT = { clientId: 'registry', clientSecret: 'a-secret-of-the-client' };

type Key = Readonly<{ kid: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK }>;
type Code = Readonly<{ redirectUri: string; challenge: string; nonce: string | null; claims: Readonly<Record<string, unknown>> }>;

const newKey = async (): Promise<Key> => {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = randomBytes(8).toString('hex');
  return { kid, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' } };
};

const secondsNow = (): number => Math.floor(Date.now() / 1000);

const bodyOf = async (request: IncomingMessage): Promise<URLSearchParams> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(Buffer.concat(chunks).toString());
};

export const startIssuer = async (): Promise<Issuer> => {
  let key = await newKey();
  let state: 'well' | 'failing' | 'redirecting' = 'well';
  let person: Readonly<Record<string, unknown>> = { sub: 'nobody' };
  let tampered: Readonly<Record<string, unknown>> = {};
  const asked = new Map<string, number>();
  const codes = new Map<string, Code>();

  const token: Issuer['token'] = async (claims, { alg = 'RS256', key: given, kid } = {}) => {
    const iat = secondsNow();
    const payload = { iss: url, iat, exp: iat + 300, ...claims };
    // JSON leaves out what is undefined.
    return new SignJWT(payload as JWTPayload)
      .setProtectedHeader({ alg, kid: kid ?? key.kid, typ: 'JWT' })
      .sign(given ?? key.privateKey);
  };

  const json = (response: ServerResponse, status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

  const authorize = (query: URLSearchParams, response: ServerResponse): void => {
    const redirectUri = query.get('redirect_uri') ?? '';
    const sound =
      query.get('client_id') === CLIENT.clientId &&
      query.get('response_type') === 'code' &&
      query.get('code_challenge_method') === 'S256';
    if (!sound) {
      json(response, 400, { error: 'invalid_request' });
      return;
    }
    const code = randomBytes(16).toString('base64url');
    codes.set(code, { redirectUri, challenge: query.get('code_challenge') ?? '', nonce: query.get('nonce'), claims: person });
    const back = new URL(redirectUri);
    back.searchParams.set('code', code);
    back.searchParams.set('state', query.get('state') ?? '');
    response.writeHead(302, { location: back.href }).end();
  };

  const isClient = ({ headers }: IncomingMessage, form: URLSearchParams): boolean => {
    const { clientId, clientSecret } = CLIENT;
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    return (
      headers.authorization === `Basic ${basic}` ||
      (form.get('client_id') === clientId && form.get('client_secret') === clientSecret)
    );
  };

  const exchange = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = await bodyOf(request);
    const code = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!isClient(request, form)) return json(response, 401, { error: 'invalid_client' });
    if (code === undefined || code.challenge !== challenge || code.redirectUri !== form.get('redirect_uri'))
      return json(response, 400, { error: 'invalid_grant' });
    const claims = { aud: CLIENT.clientId, nonce: code.nonce ?? undefined, ...code.claims, ...tampered };
    json(response, 200, { access_token: 'of-no-use', token_type: 'Bearer', expires_in: 300, id_token: await token(claims) });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', url);
    asked.set(pathname, (asked.get(pathname) ?? 0) + 1);
    if (state === 'failing') return json(response, 503, {});
    if (state === 'redirecting') return void response.writeHead(302, { location: `${url}/elsewhere` }).end();
    switch (pathname) {
      case '/.well-known/openid-configuration':
        return json(response, 200, {
          issuer: url,
          jwks_uri: `${url}/keys`,
          authorization_endpoint: `${url}/authorize`,
          token_endpoint: `${url}/token`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
          code_challenge_methods_supported: ['S256'],
        });
      case '/keys':
        return json(response, 200, { keys: [key.jwk] });
      case '/authorize':
        return authorize(searchParams, response);
      case '/token':
        return exchange(request, response);
      default:
        return json(response, 404, {});
    }
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    token,
    rotate: async () => {
      key = await newKey();
    },
    publicKey: () => exportSPKI(key.publicKey),
    asked: (path) => asked.get(path) ?? 0,
    behave: (next) => {
      state = next;
    },
    person: (claims) => {
      person = claims;
    },
    tamper: (claims) => {
      tampered = claims;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

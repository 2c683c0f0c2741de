/**
 * An OpenID provider that lies: it lets in whoever comes, and signs what it is told to.
 *
 *   node forger.mjs
 *
 * It prints `port N` first. `GET /tell?wrong=nonce` says what is wrong with its tokens from then on; without it nothing is.
 */

import { createSign, generateKeyPairSync, createHmac } from 'node:crypto';
import { createServer } from 'node:http';

const CLIENT = 'flowreel';
const [known, other] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const jwk = { ...known.publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'known' };

let wrong;
/** What the last browser brought along. */
let nonce;

const server = createServer((request, response) => {
  const issuer = `http://127.0.0.1:${String(server.address().port)}`;
  const { pathname, searchParams } = new URL(request.url, issuer);
  const json = (value) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
  switch (pathname) {
    case '/tell':
      wrong = searchParams.get('wrong');
      return response.writeHead(204).end();
    case '/.well-known/openid-configuration':
      return json(metadata(issuer));
    case '/keys':
      return json({ keys: [jwk] });
    case '/authorize': {
      nonce = searchParams.get('nonce');
      const back = new URL(searchParams.get('redirect_uri'));
      back.search = new URLSearchParams({ code: 'a-code', state: searchParams.get('state') }).toString();
      return response.writeHead(303, { location: back.href }).end();
    }
    case '/token':
      return json({ access_token: 'access', token_type: 'Bearer', id_token: token(issuer) });
    default:
      return response.writeHead(404).end();
  }
});

const metadata = (issuer) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
});

function token(issuer) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    sub: 'mallory',
    aud: CLIENT,
    exp: now + 300,
    iat: now,
    nonce,
    preferred_username: 'mallory',
    groups: ['netops'],
    ...CLAIMS[wrong]?.(now),
  };
  const alg = { none: 'none', shared_secret: 'HS256' }[wrong] ?? 'ES256';
  const head = { alg, kid: wrong === 'unknown_key' ? 'other' : 'known' };
  const body = [head, claims].map((part) => encoded(JSON.stringify(part))).join('.');
  return `${body}.${signature(body, alg)}`;
}

const CLAIMS = {
  nonce: () => ({ nonce: 'another' }),
  no_nonce: () => ({ nonce: undefined }),
  audience: () => ({ aud: 'another' }),
  two_audiences: () => ({ aud: [CLIENT, 'another'] }),
  party: () => ({ azp: 'another' }),
  expired: (now) => ({ exp: now - 1, iat: now - 600 }),
  issuer: () => ({ iss: 'https://login.example' }),
};

function signature(body, alg) {
  if (alg === 'none') return '';
  // What is public is no secret: the key that everybody knows, taken for one that two share.
  if (alg === 'HS256') return encoded(createHmac('sha256', JSON.stringify(jwk)).update(body).digest());
  const { privateKey } = ['key', 'unknown_key'].includes(wrong) ? other : known;
  return encoded(createSign('sha256').update(body).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' }));
}

const encoded = (octets) => Buffer.from(octets).toString('base64url');

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${String(server.address().port)}\n`);
});
// Ends with whoever started it.
process.stdin.on('end', () => process.exit(0)).resume();

/**
 * An OpenID provider, as another program than ours speaks it: whoever writes a name that it knows is that one.
 *
 *   node oidc.mjs back=http://127.0.0.1:8080 secret=WORDS [userinfo=only] anna=netops,berlin ben=
 *
 * It prints `port N` first. People and their groups are the other words; `GET /tell?anna=berlin` gives anna other groups. With
 * `userinfo=only` its tokens say nothing of groups, as those of many do not.
 */

import { createServer } from 'node:http';

// What it has to say about being a provider of a test goes where nobody reads lines.
console.info = console.warn = console.error;
const { Provider } = await import('oidc-provider');

const { back, secret, userinfo, ...people } = Object.fromEntries(
  process.argv.slice(2).map((word) => word.split(/=(.*)/s)),
);
const CLIENT = 'flowreel';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${String(port)}`, {
    clients: [
      {
        client_id: CLIENT,
        client_secret: secret,
        redirect_uris: [`${back}/api/v1/sign-on/openid/callback`],
        post_logout_redirect_uris: [`${back}/sign-in`],
      },
    ],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups'], email: ['email'] },
    conformIdTokenClaims: userinfo === 'only',
    pkce: { required: () => true },
    cookies: { keys: [secret] },
    findAccount: (_, accountId) =>
      accountId in people ? { accountId, claims: () => claims(accountId) } : undefined,
    // Nobody is asked whether this client may know of them.
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({ clientId: CLIENT, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  server.on('request', (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    if (pathname !== '/tell') return void answer(request, response);
    Object.assign(people, Object.fromEntries(searchParams));
    response.writeHead(204).end();
  });
  process.stdout.write(`port ${String(port)}\n`);
});

const claims = (sub) => ({
  sub,
  name: sub.toUpperCase(),
  preferred_username: sub,
  email: `${sub}@people.example`,
  groups: people[sub].split(',').filter(Boolean),
});

// Ends with whoever started it.
process.stdin.on('end', () => process.exit(0)).resume();

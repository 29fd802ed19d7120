// The peer: oidc-provider with an adapter in memory, for the clients of the one argument, which is JSON. On each line of stdin
// it makes a refresh token, and answers with it on stdout; the first line of stdout says that it listens.
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

console.info = console.error; // stdout is for the answers
const { issuer, port, resource, id, secret, keyID, jwks, privateKey } = JSON.parse(process.argv[2]);
// Memory keeps everything in maps. The adapter that comes with oidc-provider is for development: it forgets what is over a thousand
// entries, the identifiers of assertions too.
const entries = new Map(), grants = new Map(); // for all models
class Memory {
  constructor(model) { this.prefix = model + ':'; }
  async upsert(id, payload) {
    entries.set(this.prefix + id, payload);
    if (payload.grantId) {
      let of = grants.get(payload.grantId);
      if (!of) grants.set(payload.grantId, of = []);
      of.push(this.prefix + id);
    }
  }
  async find(id) { return entries.get(this.prefix + id); }
  async consume(id) { entries.get(this.prefix + id).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { entries.delete(this.prefix + id); }
  async revokeByGrantId(id) { for (const key of grants.get(id) ?? []) entries.delete(key); }
}

const plain = { redirect_uris: [], response_types: [] };
const provider = new Provider(issuer, {
  adapter: Memory,
  clients: [
    { ...plain, client_id: id, client_secret: secret, grant_types: ['client_credentials', 'authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic', response_types: ['code'], redirect_uris: ['https://client.example/cb'] },
    { ...plain, client_id: keyID, jwks, grant_types: ['client_credentials'], token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256' },
  ],
  jwks: { keys: [privateKey] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: ['read', 'write', 'offline_access'], // without which there are no refresh tokens
  clientAuthMethods: ['client_secret_basic', 'private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256'], dPoPSigningAlgValues: ['ES256'] },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  rotateRefreshToken: true,
  ttl: { Grant: 1209600, RefreshToken: 1209600, AccessToken: 900, ClientCredentials: 900 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true, allowReplay: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ audience: resource, scope: 'read write', accessTokenFormat: 'jwt', accessTokenTTL: 900, jwt: { sign: { alg: 'ES256' } } }),
    },
  },
});
provider.on('server_error', (_, err) => console.error(err));

// refresh makes a grant and its first refresh token, as an authorization code would have.
async function refresh() {
  const client = await provider.Client.find(id);
  const grant = new provider.Grant({ accountId: 'alice', clientId: id });
  grant.addResourceScope(resource, 'read write');
  const token = new provider.RefreshToken({
    accountId: 'alice', client, grantId: await grant.save(), gty: 'authorization_code', scope: 'read write', resource,
    rotations: 0, iiat: Math.floor(Date.now() / 1000), expiresWithSession: false,
  });
  return token.save();
}

createServer(provider.callback()).listen(port, '127.0.0.1', () => console.log('listening'));
const lines = createInterface({ input: process.stdin });
lines.on('line', () => refresh().then((t) => console.log(t), (err) => { console.error(err); process.exit(1); }));
lines.on('close', () => process.exit(0)); // whoever has started it is gone

// What oauth4webapi and openid-client do with an authorization server that needs no browser, for the tests of server. Both are
// given the same jobs: "what" is to be done, as which client and with what parameters. "defect" names a kind of JWT of the
// client's own, and the claims that it is to have instead of the right ones.
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import * as jose from 'jose'
import { Agent, fetch as undiciFetch } from 'undici'
import { decrypted } from './tokens.mjs'

const p256 = { name: 'ECDSA', namedCurve: 'P-256' }
const imported = ({ kty, crv, x, y, d }, secret) =>
  crypto.subtle.importKey('jwk', secret ? { kty, crv, x, y, d } : { kty, crv, x, y }, p256, true, secret ? ['sign'] : ['verify'])
const pair = async (jwk) => ({ privateKey: await imported(jwk, true), publicKey: await imported(jwk) })

const broken = ({ defect }, kind) => ({
  [oauth.modifyAssertion]: (_header, claims) => {
    if (defect?.kind === kind) Object.assign(claims, defect.claims)
  },
})

// authentication is that of a package: both have the same names.
async function authentication(of, job) {
  switch (job.method) {
    case 'client_secret_basic':
      return of.ClientSecretBasic(job.secret)
    case 'client_secret_post':
      return of.ClientSecretPost(job.secret)
    case 'client_secret_jwt':
      return of.ClientSecretJwt(job.secret, broken(job, 'client-assertion'))
    case 'private_key_jwt':
      return of.PrivateKeyJwt({ key: await imported(job.key, true), kid: job.key.kid }, broken(job, 'client-assertion'))
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return of.TlsClientAuth()
    default:
      return of.None()
  }
}

// fetcher is how requests are sent with a client certificate.
function fetcher(job) {
  if (!job.tls) return fetch
  const dispatcher = new Agent({ connect: job.tls })
  return (url, options) => undiciFetch(url, { ...options, dispatcher })
}

// Where an answer has a challenge, which RFC 6749, Section 5.2, has for Basic, both packages give the answer to the caller for what else
// it says.
const challenged = (run) => (job) =>
  run(job).catch(async (err) => {
    const response = [err, err.cause].find((e) => e?.code === oauth.WWW_AUTHENTICATE_CHALLENGE)?.response
    if (!response) throw err
    const { error, error_description } = await response.json()
    throw Object.assign(err, { error, error_description })
  })

const metadata = (job) => ({ client_id: job.client_id, use_mtls_endpoint_aliases: !!job.tls, ...job.metadata })

export const serviceOAuth4WebAPI = challenged(async (job) => {
  const issuer = new URL(job.issuer)
  const send = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: fetcher(job) }
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...send, algorithm: job.algorithm ?? 'oauth2' }))
  if (job.what === 'discover') return as
  if (job.what === 'register') {
    return oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(as, job.metadata, { ...send, initialAccessToken: job.token }),
    )
  }
  if (job.what === 'verify') {
    const headers = { authorization: `${job.proof ? 'DPoP' : 'Bearer'} ${job.token}`, ...(job.proof ? { dpop: job.proof } : {}) }
    return oauth.validateJwtAccessToken(as, new Request(job.url, { headers }), job.audience, send)
  }
  const client = metadata(job)
  const auth = await authentication(oauth, job)
  const handle = job.dpop ? oauth.DPoP(client, await pair(job.dpop), broken(job, 'dpop-proof')) : undefined
  const options = { ...send, DPoP: handle }
  // It has the caller ask again, with the nonce that its handle has kept.
  const answered = async (ask, read) => {
    try {
      return await read(await ask())
    } catch (err) {
      if (!oauth.isDPoPNonceError(err)) throw err
      return await read(await ask())
    }
  }
  switch (job.what) {
    case 'token': {
      const { grant_type, refresh_token, ...rest } = job.parameters
      const parameters = form(rest)
      if (grant_type === 'client_credentials') {
        return answered(
          () => oauth.clientCredentialsGrantRequest(as, client, auth, parameters, options),
          (res) => oauth.processClientCredentialsResponse(as, client, res),
        )
      }
      if (grant_type === 'refresh_token') {
        return answered(
          () => oauth.refreshTokenGrantRequest(as, client, auth, refresh_token, options),
          (res) => oauth.processRefreshTokenResponse(as, client, res),
        )
      }
      return answered(
        () => oauth.genericTokenEndpointRequest(as, client, auth, grant_type, parameters, options),
        (res) => oauth.processGenericTokenEndpointResponse(as, client, res),
      )
    }
    case 'introspect': {
      const res = await oauth.introspectionRequest(as, client, auth, job.token, send)
      const said = await oauth.processIntrospectionResponse(as, client, res, job.decrypt ? { [oauth.jweDecrypt]: decrypted(job.decrypt) } : {})
      if (client.introspection_signed_response_alg) await oauth.validateApplicationLevelSignature(as, res, send)
      return said
    }
    case 'revoke':
      return oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, job.token, send))
  }
  throw new Error(`what is ${job.what}?`)
})

// form repeats a parameter that has several values.
function form(parameters) {
  const all = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters ?? {})) for (const one of [value].flat()) all.append(name, one)
  return all
}

export const serviceOpenIDClient = challenged(async (job) => {
  const issuer = new URL(job.issuer)
  const options = {
    algorithm: job.algorithm ?? 'oauth2',
    execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
    [openid.customFetch]: fetcher(job),
  }
  const auth = await authentication(openid, job)
  if (job.what === 'register') {
    const config = await openid.dynamicClientRegistration(issuer, job.metadata, undefined, { ...options, initialAccessToken: job.token })
    return config.clientMetadata()
  }
  const { client_id, ...rest } = metadata(job)
  const config = await openid.discovery(issuer, client_id ?? 'nobody', rest, auth, options)
  if (job.decrypt) {
    const { alg, kid, kty, crv, x, y, d } = job.decrypt
    const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y, d }, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits'])
    openid.enableDecryptingResponses(config, ['A256GCM'], { key, alg, kid })
  }
  const DPoP = job.dpop ? openid.getDPoPHandle(config, await pair(job.dpop), broken(job, 'dpop-proof')) : undefined
  switch (job.what) {
    case 'discover':
      return config.serverMetadata()
    case 'token': {
      const { grant_type, refresh_token, ...parameters } = job.parameters
      if (grant_type === 'client_credentials') return openid.clientCredentialsGrant(config, form(parameters), { DPoP })
      if (grant_type === 'refresh_token') return openid.refreshTokenGrant(config, refresh_token, form(parameters), { DPoP })
      return openid.genericGrantRequest(config, grant_type, form(parameters), { DPoP })
    }
    case 'introspect':
      return openid.tokenIntrospection(config, job.token)
    case 'revoke':
      return openid.tokenRevocation(config, job.token)
  }
  throw new Error(`what is ${job.what}?`)
})

// jwtAccessToken holds a token to RFC 9068, Section 4, with jose alone, which is no API and leaves what a token is bound to.
export async function jwtAccessToken({ token, jwks, issuer, audience }) {
  const { payload } = await jose.jwtVerify(token, jose.createRemoteJWKSet(new URL(jwks)), {
    issuer,
    audience,
    typ: 'at+jwt',
    requiredClaims: ['exp', 'sub', 'client_id', 'iat', 'jti'],
  })
  return payload
}

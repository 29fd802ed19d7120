// What oauth4webapi and openid-client do with an authorization server and an API, for the tests of clients. Both are
// given the same jobs: "what" is to be done, and the rest of the job says with which options. "defect" names a kind of
// token of the client's own, and the claims that it is to have instead of the right ones.
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { decrypted } from './tokens.mjs'

const insecure = { [oauth.allowInsecureRequests]: true } // the server is on this machine
const redirect_uri = 'https://client.example/cb'

const imported = ({ d, ...jwk }, secret) =>
  crypto.subtle.importKey('jwk', secret ? { d, ...jwk } : jwk, { name: 'ECDSA', namedCurve: 'P-256' }, true, secret ? ['sign'] : ['verify'])
const pair = async (jwk) => ({ privateKey: await imported(jwk, true), publicKey: await imported(jwk) })
const signing = async (jwk) => ({ key: await imported(jwk, true), kid: jwk.kid })

// broken is the option of both packages by which a test has a defect in what they sign.
const broken = ({ defect }, kind) => ({
  [oauth.modifyAssertion]: (_header, claims) => {
    if (defect?.kind === kind) Object.assign(claims, defect.claims)
  },
})

// browser goes to the authorization endpoint and returns where that sends it.
async function browser(url) {
  const res = await fetch(url, { redirect: 'manual' })
  const location = res.headers.get('location')
  if (!location) throw new Error(`the authorization endpoint answers ${res.status}: ${await res.text()}`)
  return new URL(location)
}

const request = async (job, verifier) => ({
  response_type: job.response_type ?? 'code',
  redirect_uri,
  scope: 'openid orders:read',
  state: 'st-1',
  nonce: 'n-1',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  ...(job.mode === 'jarm' ? { response_mode: 'jwt' } : {}),
})

export async function oauth4webapi(job) {
  const issuer = new URL(job.issuer)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { ...insecure, algorithm: job.algorithm }))
  const client = { client_id: job.client, ...job.metadata }
  const auth = job.secret
    ? oauth.ClientSecretJwt(job.secret, broken(job, 'client-assertion'))
    : oauth.PrivateKeyJwt(await signing(job.key), broken(job, 'client-assertion'))
  const jwe = job.decrypt ? { [oauth.jweDecrypt]: decrypted(job.decrypt) } : {}
  const handle = job.dpop ? oauth.DPoP(client, await pair(job.dpop), broken(job, 'dpop-proof')) : undefined
  const options = { ...insecure, DPoP: handle }
  // It has the caller ask again, with the nonce that its handle has kept.
  const answered = async (send, read) => {
    try {
      return await read(await send())
    } catch (err) {
      if (!oauth.isDPoPNonceError(err)) throw err
      return await read(await send())
    }
  }
  const signed = (res) => oauth.validateApplicationLevelSignature(as, res, insecure)

  switch (job.what) {
    case 'login': {
      const verifier = oauth.generateRandomCodeVerifier()
      let params = await request(job, verifier)
      if (job.jar) {
        params = { client_id: client.client_id, request: await oauth.issueRequestObject(as, client, params, await signing(job.key), broken(job, 'request-object')) }
      }
      if (job.par) {
        const { request_uri } = await answered(
          () => oauth.pushedAuthorizationRequest(as, client, auth, params, options),
          (res) => oauth.processPushedAuthorizationResponse(as, client, res),
        )
        params = { request_uri }
      }
      const url = new URL(as.authorization_endpoint)
      url.search = new URLSearchParams({ client_id: client.client_id, ...params })
      const back = await browser(url)
      let response
      if (job.mode === 'jarm') response = await oauth.validateJwtAuthResponse(as, client, back, 'st-1', { ...insecure, ...jwe })
      else if (job.mode === 'detached') response = await oauth.validateDetachedSignatureResponse(as, client, back, 'n-1', 'st-1', undefined, { ...insecure, ...jwe })
      else if (job.mode === 'hybrid') response = await oauth.validateCodeIdTokenResponse(as, client, back, 'n-1', 'st-1', undefined, { ...insecure, ...jwe })
      else response = oauth.validateAuthResponse(as, client, back, 'st-1')
      const result = await answered(
        () => oauth.authorizationCodeGrantRequest(as, client, auth, response, redirect_uri, verifier, options),
        async (res) => {
          const tokens = await oauth.processAuthorizationCodeResponse(as, client, res, { expectedNonce: 'n-1', requireIdToken: true, ...jwe })
          await signed(res)
          return tokens
        },
      )
      return { sub: oauth.getValidatedIdTokenClaims(result).sub, access_token: result.access_token }
    }
    case 'grant': {
      const result = await answered(
        () => oauth.genericTokenEndpointRequest(as, client, auth, job.grant_type, job.parameters, options),
        (res) => oauth.processGenericTokenEndpointResponse(as, client, res),
      )
      return { access_token: result.access_token }
    }
    case 'client credentials': {
      const result = await answered(
        () => oauth.clientCredentialsGrantRequest(as, client, auth, {}, options),
        (res) => oauth.processClientCredentialsResponse(as, client, res),
      )
      return { access_token: result.access_token }
    }
    case 'userinfo': {
      const res = await oauth.userInfoRequest(as, client, job.access_token, options)
      const user = await oauth.processUserInfoResponse(as, client, 'alice', res, jwe)
      await signed(res)
      return { sub: user.sub }
    }
    case 'introspection': {
      const res = await oauth.introspectionRequest(as, client, auth, job.access_token, insecure)
      const said = await oauth.processIntrospectionResponse(as, client, res, jwe)
      await signed(res)
      return { sub: said.sub }
    }
    case 'access-token': {
      const claims = await oauth.validateJwtAccessToken(as, new Request(job.url, { headers: job.headers }), job.audience, { ...insecure, requireDPoP: job.required })
      return { sub: claims.sub }
    }
    case 'resource': {
      const url = new URL(job.url)
      return answered(
        () => oauth.protectedResourceRequest(job.access_token, 'GET', url, new Headers(), undefined, options),
        async (res) => ({ sub: await res.text() }),
      )
    }
    case 'challenge':
      return challenge(oauth.protectedResourceRequest(job.access_token, 'GET', new URL(job.url), new Headers(), undefined, insecure))
    case 'resource-metadata': {
      // The challenge of a request that is refused says where the metadata is; it must be the place that RFC 9728 has.
      const url = new URL(job.url)
      const refused = await oauth.protectedResourceRequest('none', 'GET', url, new Headers(), undefined, insecure).catch((err) => err)
      const said = refused.cause.find((c) => c.scheme === 'dpop').parameters.resource_metadata
      const expected = new URL(job.expected ?? job.url)
      const answer = await oauth.resourceDiscoveryRequest(expected, {
        ...insecure,
        [oauth.customFetch]: (...args) => {
          if (args[0] !== said) throw new Error(`the challenge says ${said}, and RFC 9728 ${args[0]}`)
          return fetch(...args)
        },
      })
      const resource = await oauth.processResourceDiscoveryResponse(expected, answer)
      const found = new URL(resource.authorization_servers[0])
      const server = await oauth.processDiscoveryResponse(found, await oauth.discoveryRequest(found, { ...insecure, algorithm: 'oauth2' }))
      return { sub: server.token_endpoint }
    }
    case 'metadata':
      return { sub: as.issuer }
  }
  throw new Error(`what is ${job.what}?`)
}

// challenge is what the client reads of the challenges to its request.
async function challenge(answer) {
  const err = await answer.then(() => new Error('no challenge')).catch((err) => err)
  if (!Array.isArray(err.cause)) throw err
  return { sub: err.cause.map((c) => `${c.scheme} ${c.parameters.error} ${c.parameters.resource_metadata}`).join(', ') }
}

export async function openidClient(job) {
  const auth = job.secret
    ? openid.ClientSecretJwt(job.secret, broken(job, 'client-assertion'))
    : openid.PrivateKeyJwt(await signing(job.key), broken(job, 'client-assertion'))
  const config = await openid.discovery(new URL(job.issuer), job.client, job.metadata, auth, {
    algorithm: job.algorithm,
    execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
  })
  if (job.decrypt) {
    const { alg, kid, ...jwk } = job.decrypt
    const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits'])
    openid.enableDecryptingResponses(config, ['A256GCM'], { key, alg, kid })
  }
  const DPoP = job.dpop ? openid.getDPoPHandle(config, await pair(job.dpop), broken(job, 'dpop-proof')) : undefined

  switch (job.what) {
    case 'login': {
      const verifier = openid.randomPKCECodeVerifier()
      const params = await request(job, verifier)
      if (job.mode === 'jarm') openid.useJwtResponseMode(config)
      if (job.mode === 'hybrid' || job.mode === 'detached') openid.useCodeIdTokenResponseType(config)
      if (job.mode === 'detached') openid.enableDetachedSignatureResponseChecks(config)
      if (job.mode === 'implicit') openid.useIdTokenResponseType(config)
      if (job.mode === 'implicit') {
        delete params.code_challenge
        delete params.code_challenge_method
      }
      let url
      if (job.jar) {
        url = await openid.buildAuthorizationUrlWithJAR(config, params, await signing(job.key), broken(job, 'request-object'))
        if (job.par) url = await openid.buildAuthorizationUrlWithPAR(config, url.searchParams, { DPoP })
      } else if (job.par) url = await openid.buildAuthorizationUrlWithPAR(config, params, { DPoP })
      else url = openid.buildAuthorizationUrl(config, params)
      const back = await browser(url)
      if (job.mode === 'implicit') {
        return { sub: (await openid.implicitAuthentication(config, back, 'n-1', { expectedState: 'st-1' })).sub }
      }
      const result = await openid.authorizationCodeGrant(
        config,
        back,
        { expectedNonce: 'n-1', expectedState: 'st-1', pkceCodeVerifier: verifier, idTokenExpected: true },
        undefined,
        { DPoP },
      )
      return { sub: result.claims().sub, access_token: result.access_token }
    }
    case 'grant': {
      const result = await openid.genericGrantRequest(config, job.grant_type, job.parameters, { DPoP })
      return { access_token: result.access_token }
    }
    case 'client credentials':
      return { access_token: (await openid.clientCredentialsGrant(config, {}, { DPoP })).access_token }
    case 'userinfo':
      return { sub: (await openid.fetchUserInfo(config, job.access_token, 'alice', { DPoP })).sub }
    case 'introspection':
      return { sub: (await openid.tokenIntrospection(config, job.access_token)).sub }
    case 'resource': {
      const res = await openid.fetchProtectedResource(config, job.access_token, new URL(job.url), 'GET', undefined, undefined, { DPoP })
      return { sub: await res.text() }
    }
    case 'challenge':
      return challenge(openid.fetchProtectedResource(config, job.access_token, new URL(job.url), 'GET'))
    case 'metadata':
      return { sub: config.serverMetadata().issuer }
  }
  throw new Error(`what is ${job.what}?`)
}

// Single tokens, for the tests of clients: made and verified by jose, which knows no kinds; proofs of dpop; and an API
// behind express-oauth2-jwt-bearer.
import * as jose from 'jose'
import * as dpop from 'dpop'
import express from 'express'
import * as bearer from 'express-oauth2-jwt-bearer'
import * as oauth4webapi from 'oauth4webapi'
import * as openid from 'openid-client'

// names are what the packages export.
export function names() {
  const of = (module) => Object.keys(module)
  return {
    names: {
      jose: of(jose),
      dpop: of(dpop),
      'express-oauth2-jwt-bearer': of(bearer).filter((name) => name !== 'default' && name !== 'module.exports'),
      oauth4webapi: of(oauth4webapi),
      'openid-client': of(openid),
    },
  }
}

// sign makes a token of the claims, and encrypts it where there is a key for that.
export async function sign({ key, header, claims, to }) {
  const token = await new jose.SignJWT(claims).setProtectedHeader(header).sign(await jose.importJWK(key, header.alg))
  if (!to) return { token }
  const jwe = new jose.CompactEncrypt(new TextEncoder().encode(token))
  return { token: await jwe.setProtectedHeader({ alg: to.alg, enc: 'A256GCM', cty: 'JWT', kid: to.kid }).encrypt(await jose.importJWK(to)) }
}

// verify verifies one with the options of jwtVerify, by a published set, a shared key or the key in the header.
export async function verify({ token, jwks, key, decrypt, options }) {
  if (decrypt) token = await decrypted(decrypt)(token)
  const keys = jwks ? jose.createRemoteJWKSet(new URL(jwks)) : key ? await jose.importJWK(key) : jose.EmbeddedJWK
  const { payload } = await jose.jwtVerify(token, keys, options)
  return { claims: payload }
}

// decrypted decrypts the way that oauth4webapi wants it done.
export const decrypted = (key) => async (jwe) => {
  const { plaintext } = await jose.compactDecrypt(jwe, await jose.importJWK(key), { keyManagementAlgorithms: [key.alg] })
  return new TextDecoder().decode(plaintext)
}

export async function proof({ url, method, nonce, accessToken, pair }) {
  const alg = { name: 'ECDSA', namedCurve: 'P-256' }
  const { d, ...pub } = pair
  const privateKey = await crypto.subtle.importKey('jwk', pair, alg, false, ['sign'])
  const publicKey = await crypto.subtle.importKey('jwk', pub, alg, true, ['verify'])
  return { token: await dpop.generateProof({ privateKey, publicKey }, url, method, nonce, accessToken) }
}

// serve starts an API. Its answer is the subject of the token.
export async function serve({ options, certificate }) {
  const app = express()
  app.set('env', 'production') // no stack traces
  if (certificate) options.getCertificate = () => certificate
  app.get('/orders', bearer.auth(options), bearer.requiredScopes('orders:read'), (req, res) => res.send(req.auth.payload.sub))
  const server = app.listen(0, '127.0.0.1')
  await new Promise((listening, failed) => server.once('listening', listening).once('error', failed))
  return { url: `http://127.0.0.1:${server.address().port}/orders` }
}

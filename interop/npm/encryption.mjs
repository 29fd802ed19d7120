// Encrypts and decrypts for the tests of matrix.
//
//   {"do":"write","alg":A,"enc":E,"key":JWK,"plaintext":TEXT,"p2c":N} gives {"token":T}
//   {"do":"read","alg":A,"enc":E,"key":JWK,"token":T}                 gives {"plaintext":TEXT}
//
// T is a string, or a document of the JSON serialization; "form" says which is written.
import * as jose from 'jose'

export async function write({ form, alg, enc, key, aad, zip, plaintext, p2c }) {
  const bytes = new TextEncoder().encode(plaintext)
  const imported = await jose.importJWK(key, alg)
  if (form === 'general') {
    const general = new jose.GeneralEncrypt(bytes).setProtectedHeader({ enc })
    if (aad) general.setAdditionalAuthenticatedData(new TextEncoder().encode(aad))
    for (const kid of ['first', 'second']) general.addRecipient(imported).setUnprotectedHeader({ alg, kid })
    return { token: JSON.stringify(await general.encrypt()) }
  }
  const Form = form === 'flattened' ? jose.FlattenedEncrypt : jose.CompactEncrypt
  const jwe = new Form(bytes).setProtectedHeader(zip ? { alg, enc, zip } : { alg, enc })
  if (aad) jwe.setAdditionalAuthenticatedData(new TextEncoder().encode(aad))
  if (p2c) jwe.setKeyManagementParameters({ p2c })
  const token = await jwe.encrypt(imported)
  return { token: form === 'flattened' ? JSON.stringify(token) : token }
}

export async function read({ alg, enc, key, token }) {
  const imported = await jose.importJWK(key, alg)
  const options = { keyManagementAlgorithms: [alg], contentEncryptionAlgorithms: [enc], maxPBES2Count: 1_200_000 }
  const document = token.startsWith('{') ? JSON.parse(token) : token
  const decrypt = token === document ? jose.compactDecrypt : document.recipients ? jose.generalDecrypt : jose.flattenedDecrypt
  const { plaintext, additionalAuthenticatedData } = await decrypt(document, imported, options)
  return { plaintext: new TextDecoder().decode(plaintext), aad: new TextDecoder().decode(additionalAuthenticatedData) }
}

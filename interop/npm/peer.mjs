// Does jobs for the tests of the packages beside this folder: one job in JSON a line on standard input, one answer a line
// on standard output, in the same order. What a job fails with is {"failed":TEXT}, with the reasons behind it.
import { createInterface } from 'node:readline'
import * as encryption from './encryption.mjs'
import * as tokens from './tokens.mjs'
import * as flows from './flows.mjs'
import * as service from './service.mjs'

const jobs = { ...encryption, ...tokens, ...flows, ...service }

function text(err) {
  if (!(err instanceof Error)) return ''
  const said = [err.code ?? err.name, err.message, err.error, err.error_description].filter((s) => s)
  // The cause is another error, or what was not as it should be.
  if (Array.isArray(err.cause)) said.push(...err.cause.map((c) => `${c.scheme} ${c.parameters?.error}: ${c.parameters?.error_description}`))
  else if (err.cause?.claim) said.push(err.cause.claim)
  else if (err.cause?.attribute) said.push(err.cause.attribute)
  return [said.join(': '), text(err.cause)].filter((s) => s).join('; ')
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const job = JSON.parse(line)
    answer = await jobs[job.do](job)
  } catch (err) {
    answer = { failed: text(err) || String(err) }
  }
  process.stdout.write(JSON.stringify(answer ?? {}) + '\n')
}
process.exit() // whatever still listens

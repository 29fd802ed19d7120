// Does jobs for the tests of the packages beside this folder: one job in JSON a line on standard input, one answer a line
// on standard output, in the same order. What a job fails with is {"error":TEXT}.
import { createInterface } from 'node:readline'
import * as encryption from './encryption.mjs'

const jobs = { ...encryption }

for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const job = JSON.parse(line)
    answer = await jobs[job.do](job)
  } catch (err) {
    answer = { error: `${err.code ?? err.name}: ${err.message}` }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
process.exit() // whatever still listens

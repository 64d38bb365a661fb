// Answers requests from standard input on standard output, one JSON object a line; see ../drive/README.md.
// This file knows no Kafka library.
'use strict'

const readline = require('node:readline')

const toText = (bytes) => (bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('base64'))
const toBytes = (text) => (text === null ? null : Buffer.from(text, 'base64'))

/**
 * Serve until the input ends. An operation gets the arguments and returns a result or a promise of one; operations are
 * called in the order of their lines.
 */
function serve(operations) {
  const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n')
  const fail = (id, error) => say({ id, error: `${error.name}: ${error.message}` })
  readline
    .createInterface({ input: process.stdin, crlfDelay: Infinity })
    .on('line', (line) => {
      const { id, op, args } = JSON.parse(line)
      try {
        if (!operations[op]) throw new Error(`no operation is called ${op}`)
        Promise.resolve(operations[op](args)).then(
          (result) => say({ id, result: result === undefined ? null : result }),
          (error) => fail(id, error),
        )
      } catch (error) {
        fail(id, error)
      }
    })
    .on('close', () => process.exit(0))
}

module.exports = { serve, toBytes, toText }

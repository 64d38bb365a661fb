// Drives kafkajs for the compat tests; see ../drive/README.md for the operations.
'use strict'

const { Kafka, logLevel } = require('kafkajs')
const { Consumer } = require('./consumer')
const { serve } = require('./drive')
const { Producer } = require('./producer')
require('./codecs')

const connect = (bootstrap) =>
  new Kafka({
    clientId: 'compat-kafkajs',
    brokers: [bootstrap],
    logLevel: logLevel.INFO,
    logCreator:
      () =>
      ({ namespace, log: { message, ...more } }) =>
        process.stderr.write(`${namespace}: ${message} ${JSON.stringify(more)}\n`),
    // Retries outlast a restart of the broker.
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 200 },
  })

const producers = new Map()
const consumers = new Map()

function find(table, handle) {
  const found = table.get(handle)
  if (!found) throw new Error(`nothing is open under ${handle}`)
  return found
}

function remove(table, handle) {
  const found = find(table, handle)
  table.delete(handle)
  return found
}

serve({
  create_topic: async ({ bootstrap, topic, partitions }) => {
    const admin = connect(bootstrap).admin()
    await admin.connect()
    try {
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] })
    } finally {
      await admin.disconnect()
    }
  },
  'producer.open': ({ handle, bootstrap, compression, idempotent }) => {
    const producer = new Producer(connect(bootstrap), { compression, idempotent })
    producers.set(handle, producer)
    return producer.open()
  },
  'producer.send': ({ handle, topic, record }) => find(producers, handle).send(topic, record),
  'producer.close': ({ handle }) => remove(producers, handle).close(),
  'consumer.open': ({ handle, bootstrap, group }) => {
    consumers.set(handle, new Consumer(connect(bootstrap), group))
  },
  'consumer.assign': ({ handle, topic }) => find(consumers, handle).assign(topic),
  'consumer.subscribe': ({ handle, topic }) => find(consumers, handle).subscribe(topic),
  'consumer.poll': ({ handle, timeout_ms: timeoutMs }) => find(consumers, handle).poll(timeoutMs),
  'consumer.assignment': ({ handle }) => find(consumers, handle).partitions,
  'consumer.commit': ({ handle }) => find(consumers, handle).commit(),
  'consumer.committed': ({ handle, topic }) => find(consumers, handle).committed(topic),
  'consumer.close': ({ handle }) => remove(consumers, handle).close(),
})

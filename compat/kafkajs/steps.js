// What kafkajs does against a broker, step by step: one line of JSON a step, for ../scripted.py.
// Arguments: bootstrap server, a name nobody else uses. Outcomes hold no names and times that differ from run to run.
'use strict'

const crypto = require('node:crypto')
const { CompressionTypes, ConfigResourceTypes, Kafka, PartitionAssigners, logLevel } = require('kafkajs')
require('./codecs')

const [, , bootstrap, name] = process.argv
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 100, retries: 6 } })
const topic = `${name}-topic`
const beganMs = Date.now() - 3600000
const CODECS = ['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD']
const TIMEOUT_MS = 30000

const digest = (rows) => crypto.createHash('sha256').update(JSON.stringify(rows)).digest('hex').slice(0, 16)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Tell what a step returns, or the error it ends with. */
async function step(named, run) {
  let outcome
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), TIMEOUT_MS)
  })
  try {
    outcome = await Promise.race([run(), late])
  } catch (error) {
    const cause = error.name === 'KafkaJSNumberOfRetriesExceeded' && error.cause ? error.cause : error
    outcome = `${cause.name} ${cause.type || (cause.errors || []).map((one) => one.type).join() || ''}`.trim()
    process.stderr.write(`${named}: ${error.stack}\n`)
  }
  clearTimeout(timer)
  process.stdout.write(JSON.stringify({ step: named, outcome: outcome === undefined ? null : outcome }) + '\n')
}

async function within(client, run) {
  await client.connect()
  try {
    return await run(client)
  } finally {
    await client.disconnect()
  }
}

async function until(condition, limitMs = 20000) {
  const deadline = Date.now() + limitMs
  while (!(await condition()) && Date.now() < deadline) await sleep(50)
}

async function adminSteps(admin) {
  const create = (topics) => admin.createTopics({ topics, waitForLeaders: true, timeout: 10000 })
  await step('create-topic', () => create([{ topic, numPartitions: 3, replicationFactor: 1 }]))
  await step('create-topic-again', () => create([{ topic, numPartitions: 3, replicationFactor: 1 }]))
  await step('create-topic-bad-name', () => create([{ topic: 'a b', numPartitions: 1, replicationFactor: 1 }]))
  await step('create-topic-bad-config', () =>
    create([{ topic: `${name}-c`, numPartitions: 1, configEntries: [{ name: 'retention.ms', value: 'soon' }] }]))
  await step('create-partitions', () => admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] }))
  await step('create-partitions-fewer', () => admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }))
  const described = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions
  await until(async () => (await described()).length === 4)
  await step('describe-topic', async () =>
    (await described()).map((p) => [p.partitionId, p.partitionErrorCode, p.replicas.length, p.isr.length]).sort())
  await step('list-topics', async () => (await admin.listTopics()).includes(topic))
  await step('describe-cluster', async () => (await admin.describeCluster()).brokers.length)
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const configs = async () =>
    (await admin.describeConfigs({ resources: [resource], includeSynonyms: false })).resources[0].configEntries
  await step('configs', async () =>
    (await configs()).map((e) => [e.configName, e.configValue, e.readOnly, e.isDefault, e.configSource]).sort())
  await step('alter-configs', async () => {
    await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '86400000' }] }] })
    return (await configs()).find((e) => e.configName === 'retention.ms').configValue
  })
  await step('alter-configs-bad', () =>
    admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: 'soon' }] }] }))
}

function messages(codec) {
  return Array.from({ length: 30 }, (_, i) => ({
    partition: i % 3,
    timestamp: String(beganMs + CODECS.indexOf(codec) * 60000 + i * 1000),
    key: i % 5 === 0 ? null : `key-${i}`,
    value: i % 7 === 0 ? null : `${codec} `.repeat(i),
    headers: { codec, empty: '' },
  }))
}

async function produceSteps() {
  const send = (settings, record) => within(kafka.producer(settings), async (producer) =>
    (await producer.send(record)).map((r) => [r.partition, r.errorCode, r.baseOffset]).sort())
  for (const codec of CODECS) {
    await step(`produce-${codec}`, () => send({}, { topic, compression: CompressionTypes[codec], messages: messages(codec) }))
  }
  await step('produce-idempotent', () => within(kafka.producer({ idempotent: true, maxInFlightRequests: 1 }), async (producer) => {
    const found = []
    for (let i = 0; i < 10; i++) {
      const [ack] = await producer.send({ topic, messages: Array.from({ length: 5 }, (_, n) => ({ partition: 3, value: `${i} ${n}` })) })
      found.push(ack.baseOffset)
    }
    return found
  }))
  const one = (value) => [{ partition: 3, value }]
  await step('produce-large', () => send({}, { topic, messages: one(Buffer.alloc(900000, 'x')) }))
  await step('produce-too-large', () => send({ retry: { retries: 0 } }, { topic, messages: one(Buffer.alloc(2000000, 'x')) }))
  await step('produce-acks-0', () => within(kafka.producer(), (producer) => producer.send({ topic, acks: 0, messages: one('v') })))
  await step('produce-auto-created', () =>
    send({ allowAutoTopicCreation: true }, { topic: `${name}-auto`, messages: [{ value: 'v' }] }))
  await step('produce-bad-topic', () => send({ retry: { retries: 0 } }, { topic: 'a b', messages: [{ value: 'v' }] }))
}

/** Read in a group until there are `count` messages; `settings.after(consumer)` runs when the group is joined. */
async function read(group, count, settings = {}) {
  const consumer = kafka.consumer({ groupId: `${name}-${group}`, heartbeatInterval: 200, maxWaitTimeInMs: 100, ...settings.consumer })
  const found = []
  return within(consumer, async () => {
    await consumer.subscribe({ topic, fromBeginning: settings.fromBeginning !== false })
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
    await consumer.run({ autoCommit: settings.autoCommit === true, eachMessage: async ({ partition, message }) => { found.push([partition, message]) } })
    await joined
    if (settings.after) await settings.after(consumer)
    await until(() => found.length >= count)
    return settings.result ? settings.result(found, consumer) : shown(found)
  })
}

function shown(found) {
  const text = (bytes) => (bytes === null ? null : bytes.toString('hex'))
  const rows = found.map(([partition, m]) => [partition, Number(m.offset), Number(m.timestamp) - beganMs, text(m.key), text(m.value),
    Object.entries(m.headers).map(([key, value]) => [key, text(value)])])
  const first = rows.filter(([partition]) => partition < 3).sort((a, b) => a[0] - b[0] || a[1] - b[1])
  return [rows.length, digest(first)]
}

async function readSteps(admin) {
  await step('read', () => read('read', 202))
  await step('read-uncommitted', () => read('uncommitted', 202, { consumer: { readUncommitted: true } }))
  await step('read-small-fetches', () => read('small', 202, { consumer: { maxBytesPerPartition: 100, maxBytes: 300 } }))
  const places = (found) => found.map(([partition, m]) => [partition, Number(m.offset)]).sort((a, b) => a[0] - b[0] || a[1] - b[1])
  await step('seek', () => read('seek', 8, {
    fromBeginning: false,
    after: (consumer) => {
      consumer.seek({ topic, partition: 0, offset: '45' })
      consumer.seek({ topic, partition: 1, offset: '47' })
    },
    result: (found) => places(found).filter(([partition]) => partition < 2),
  }))
  await step('pause', () => read('pause', 152, {
    after: (consumer) => consumer.pause([{ topic, partitions: [0] }]),
    result: async (found, consumer) => {
      const paused = consumer.paused().map((one) => one.partitions)
      consumer.resume([{ topic }])
      await until(() => found.length >= 202)
      return [paused, new Set(places(found).map(String)).size]
    },
  }))
  await step('offsets-for-times', () => Promise.all([beganMs, beganMs + 125500, beganMs + 360000000].map(async (time) =>
    (await admin.fetchTopicOffsetsByTimestamp(topic, time)).map((p) => [p.partition, p.offset]).sort().slice(0, 3))))
  await step('topic-offsets', async () =>
    (await admin.fetchTopicOffsets(topic)).map((p) => [p.partition, p.low, p.high]).sort())
}

async function rebalances(assigner) {
  const groupId = `${name}-${assigner}`
  const shares = [0, 0]
  const start = async (number) => {
    const consumer = kafka.consumer({ groupId, heartbeatInterval: 200, maxWaitTimeInMs: 100, partitionAssigners: [PartitionAssigners[assigner]] })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { shares[number] = (payload.memberAssignment[topic] || []).length })
    await consumer.connect()
    await consumer.subscribe({ topic })
    await consumer.run({ eachMessage: async () => {} })
    return consumer
  }
  const told = []
  const wait = async (...wanted) => {
    await until(() => String(shares) === String(wanted))
    told.push([...shares])
  }
  const first = await start(0)
  await wait(4, 0)
  const second = await start(1)
  await wait(2, 2)
  await second.disconnect()
  shares[1] = 0
  await wait(4, 0)
  await first.disconnect()
  return told
}

async function groupSteps(admin) {
  await step('rebalances', () => rebalances('roundRobin'))
  const groupId = `${name}-commits`
  await step('commit', () => read('commits', 202, {
    result: async (found, consumer) => {
      await consumer.commitOffsets([0, 1, 2, 3].map((partition) => ({ topic, partition, offset: String(partition * 7), metadata: partition ? null : 'a note' })))
      return found.length
    },
  }))
  const offsets = async () => (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions
    .map((p) => [p.partition, p.offset, p.metadata]).sort()
  await step('group-offsets', offsets)
  await step('goes-on', () => read('commits', 160))
  await step('set-offsets', async () => {
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 1, offset: '3' }] })
    return offsets()
  })
  await step('reset-offsets', async () => {
    await admin.resetOffsets({ groupId, topic, earliest: true })
    return offsets()
  })
  await step('describe-group', async () => (await admin.describeGroups([groupId, `${name}-none`])).groups
    .map((g) => [g.state, g.errorCode, g.protocolType, g.protocol, g.members.length]).sort())
  await step('list-groups', async () => (await admin.listGroups()).groups.some((g) => g.groupId === groupId))
  await step('delete-groups', async () => (await admin.deleteGroups([groupId])).map((g) => g.errorCode))
  await step('delete-groups-unknown', async () => (await admin.deleteGroups([`${name}-none`])).map((g) => g.errorCode))
}

async function endSteps(admin) {
  await step('transaction', () => within(kafka.producer({ transactionalId: `${name}-tx`, idempotent: true, maxInFlightRequests: 1 }), async (producer) => {
    for (const end of ['abort', 'commit']) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ partition: 3, value: end }] })
      await transaction[end]()
    }
    return 'committed'
  }))
  await step('delete-records', async () => {
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '7' }, { partition: 1, offset: '-1' }] })
    return (await admin.fetchTopicOffsets(topic)).map((p) => [p.partition, p.low]).sort()
  })
  await step('delete-records-too-far', () => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '9999' }] }))
  await step('delete-topic', () => admin.deleteTopics({ topics: [topic] }))
  await step('delete-topic-unknown', () => admin.deleteTopics({ topics: [`${name}-none`] }))
}

async function main() {
  const admin = kafka.admin()
  await admin.connect()
  await adminSteps(admin)
  await produceSteps()
  await readSteps(admin)
  await groupSteps(admin)
  await endSteps(admin)
  process.exit(0)
}

main()

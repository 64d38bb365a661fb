// A kafkajs consumer from which records are taken by polling: each record waits until a poll takes it, and only then is
// the position moved. kafkajs pushes, and always in a group.
'use strict'

const { randomUUID } = require('node:crypto')
const { setTimeout: sleep } = require('node:timers/promises')
const { toText } = require('./drive')

const HEARTBEAT_MS = 300
const SETTLE_MS = 20_000
const UNSETTLED = new Set(['NOT_COORDINATOR_FOR_GROUP', 'GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE'])

class Consumer {
  constructor(kafka, group) {
    this.kafka = kafka
    this.group = group
    this.client = null
    this.closing = false
    this.partitions = []
    this.positions = new Map()
    this.waiting = []
    this.wake = () => {}
  }

  /** Read from the first offset. kafkajs cannot read outside a group: the group is one that nobody else uses. */
  assign(topic) {
    this.group = `assign-${randomUUID()}`
    return this.subscribe(topic)
  }

  async subscribe(topic) {
    this.topic = topic
    this.client = this.kafka.consumer({
      groupId: this.group,
      heartbeatInterval: HEARTBEAT_MS,
      sessionTimeout: 10_000,
      maxWaitTimeInMs: 100,
      allowAutoTopicCreation: false,
    })
    const { GROUP_JOIN, REBALANCING } = this.client.events
    this.client.on(GROUP_JOIN, ({ payload }) => {
      this.partitions = payload.memberAssignment[topic] ?? []
      this.positions.clear()
    })
    this.client.on(REBALANCING, () => {
      this.partitions = []
    })
    await this.client.connect()
    await this.client.subscribe({ topics: [topic], fromBeginning: true })
    await this.client.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 16,
      eachBatch: (batch) => this.offer(batch),
    })
  }

  async offer({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
    for (const message of batch.messages) {
      if (!(await this.taken(batch.partition, message, heartbeat, () => this.closing || !isRunning() || isStale()))) return
      resolveOffset(message.offset)
      await heartbeat()
    }
  }

  /** Whether a poll took the message; false when its partition is no longer ours to read. */
  async taken(partition, message, heartbeat, isOver) {
    const offered = { partition, message, taken: false }
    this.waiting.push(offered)
    this.wake()
    try {
      while (!offered.taken && !isOver()) {
        await new Promise((resolve) => {
          offered.wake = resolve
          setTimeout(resolve, HEARTBEAT_MS)
        })
        await heartbeat()
      }
    } finally {
      this.waiting = this.waiting.filter((other) => other !== offered)
    }
    return offered.taken
  }

  async poll(timeoutMs) {
    const records = []
    let patienceMs = timeoutMs
    for (;;) {
      if (this.waiting.length === 0) {
        await new Promise((resolve) => {
          this.wake = resolve
          setTimeout(resolve, patienceMs)
        })
        if (this.waiting.length === 0) return records
      }
      for (const offered of this.waiting.splice(0)) {
        offered.taken = true
        offered.wake?.()
        this.positions.set(offered.partition, Number(offered.message.offset) + 1)
        records.push(toRecord(offered))
      }
      // What follows at once belongs to the same poll.
      patienceMs = 10
    }
  }

  /** Whether the group took the positions; kafkajs throws when it must settle first. */
  async commit() {
    const { topic } = this
    const offsets = [...this.positions].map(([partition, offset]) => ({ topic, partition, offset: String(offset) }))
    try {
      await this.client.commitOffsets(offsets)
    } catch (error) {
      process.stderr.write(`commit: ${error.name}: ${error.message}\n`)
      if (!error.name.startsWith('KafkaJS')) throw error
      return false
    }
    return true
  }

  async committed(topic) {
    const admin = this.kafka.admin()
    await admin.connect()
    try {
      const partitions = await this.fetchOffsets(admin, topic)
      const known = partitions.filter(({ offset }) => offset !== '-1')
      return Object.fromEntries(known.map(({ partition, offset }) => [partition, Number(offset)]))
    } finally {
      await admin.disconnect()
    }
  }

  /** Asks again while the coordinator is moving or loading: kafkajs hands these errors to its user. */
  async fetchOffsets(admin, topic) {
    for (const deadline = Date.now() + SETTLE_MS; ; await sleep(50)) {
      try {
        const [{ partitions }] = await admin.fetchOffsets({ groupId: this.group, topics: [topic] })
        return partitions
      } catch (error) {
        if (!UNSETTLED.has(error.type) || Date.now() > deadline) throw error
      }
    }
  }

  async close() {
    this.closing = true
    for (const { wake } of this.waiting) wake?.()
    await this.client?.disconnect()
  }
}

function toRecord({ partition, message }) {
  const headers = Object.entries(message.headers).flatMap(([name, value]) =>
    [value].flat().map((bytes) => ({ name, value: toText(bytes) })),
  )
  return {
    partition,
    offset: Number(message.offset),
    timestamp_ms: Number(message.timestamp),
    key: toText(message.key),
    value: toText(message.value),
    headers,
  }
}

module.exports = { Consumer }

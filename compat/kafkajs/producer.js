// A kafkajs producer that sends in order: what is queued while one send is under way makes the next one.
// kafkajs runs concurrent sends side by side, and a retry of one of them would change the order of records.
'use strict'

const { CompressionTypes } = require('kafkajs')
const { toBytes } = require('./drive')

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

class Producer {
  constructor(kafka, { compression, idempotent }) {
    this.compression = CODECS[compression]
    if (this.compression === undefined) throw new Error(`no codec is called ${compression}`)
    this.client = kafka.producer({
      idempotent,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
    })
    this.queue = []
    this.pumping = null
  }

  open() {
    return this.client.connect()
  }

  /** The offset of the record, once the broker has acknowledged it. */
  send(topic, record) {
    return new Promise((resolve, reject) => {
      this.queue.push({ topic, record, resolve, reject })
      // Not at once: records that came together go together.
      if (!this.pumping) this.pumping = new Promise(setImmediate).then(() => this.pump())
    })
  }

  async pump() {
    while (this.queue.length > 0) {
      const sending = this.queue.splice(0)
      try {
        await this.sendAll(sending)
      } catch (error) {
        for (const { reject } of sending) reject(error)
      }
    }
    this.pumping = null
  }

  async sendAll(sending) {
    const [{ topic }] = sending
    const answers = await this.client.send({
      topic,
      acks: -1,
      compression: this.compression,
      messages: sending.map(({ record }) => toMessage(record)),
    })
    const next = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]))
    for (const { record, resolve } of sending) {
      const offset = next.get(record.partition)
      next.set(record.partition, offset + 1)
      resolve(offset)
    }
  }

  async close() {
    await this.pumping
    await this.client.disconnect()
  }
}

function toMessage({ partition, key, value, headers, timestamp_ms }) {
  const grouped = {}
  for (const { name, value: bytes } of headers) (grouped[name] ??= []).push(toBytes(bytes))
  return { partition, key: toBytes(key), value: toBytes(value), headers: grouped, timestamp: String(timestamp_ms) }
}

module.exports = { Producer }

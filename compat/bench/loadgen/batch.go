package main

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand"
	"time"
)

// Offsets of fields of a record batch, version 2. The checksum covers everything from the attributes on.
const (
	batchCRC        = 17
	batchAttributes = 21
	batchLastDelta  = 23
	batchHeaderSize = 61
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends a record without key or headers.
func appendRecord(w *writer, delta int, value []byte) {
	body := &writer{}
	body.int8(0)
	body.varint(0)
	body.varint(int64(delta))
	body.varint(-1)
	body.varint(int64(len(value)))
	body.raw(value)
	body.varint(0)
	w.varint(int64(len(body.buf)))
	w.raw(body.buf)
}

// recordSize is the size of a record without key or headers.
func recordSize(delta, valueSize int) int {
	w := &writer{}
	appendRecord(w, delta, make([]byte, valueSize))
	return len(w.buf)
}

// newBatch builds a batch of records with values of valueSize random bytes, as many as fit into sizeBytes, at least
// one; the last value fills the batch up as far as it can.
func newBatch(sizeBytes, valueSize int) (batch []byte, records int) {
	entropy := rand.New(rand.NewSource(1))
	value := func(size int) []byte {
		data := make([]byte, size)
		entropy.Read(data)
		return data
	}
	w := &writer{}
	for {
		left := sizeBytes - batchHeaderSize - len(w.buf)
		one := recordSize(records, valueSize)
		if left >= 2*one+2 {
			appendRecord(w, records, value(valueSize))
			records++
			continue
		}
		size := valueSize
		if left > one {
			// The record's own length may need a byte more, so that the batch may end a few bytes short.
			size += left - one - 4
			size = max(size, valueSize)
			for recordSize(records, size+1) <= left {
				size++
			}
		}
		appendRecord(w, records, value(size))
		records++
		return withHeader(w.buf, records), records
	}
}

// withHeader puts a batch header without a producer id before records.
func withHeader(records []byte, count int) []byte {
	now := time.Now().UnixMilli()
	w := &writer{}
	w.int64(0)
	w.int32(int32(batchHeaderSize - 12 + len(records)))
	w.int32(-1)
	w.int8(2)
	w.int32(0)
	w.int16(0)
	w.int32(int32(count - 1))
	w.int64(now)
	w.int64(now)
	w.int64(-1)
	w.int16(-1)
	w.int32(-1)
	w.int32(int32(count))
	w.raw(records)
	setCRC(w.buf)
	return w.buf
}

func setCRC(batch []byte) {
	binary.BigEndian.PutUint32(batch[batchCRC:], crc32.Checksum(batch[batchAttributes:], castagnoli))
}

// eachBatch calls see with every whole batch of fetched records; Fetch may cut off the last one.
func eachBatch(records []byte, see func(batch []byte, nextOffset int64)) {
	for len(records) >= batchHeaderSize {
		size := 12 + int(binary.BigEndian.Uint32(records[8:]))
		if size > len(records) {
			return
		}
		last := int64(binary.BigEndian.Uint32(records[batchLastDelta:]))
		see(records[:size], int64(binary.BigEndian.Uint64(records))+last+1)
		records = records[size:]
	}
}

// intact tells whether a batch is of version 2 and has the checksum that it claims.
func intact(batch []byte) bool {
	return batch[16] == 2 &&
		binary.BigEndian.Uint32(batch[batchCRC:]) == crc32.Checksum(batch[batchAttributes:], castagnoli)
}

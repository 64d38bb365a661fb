package main

import (
	"encoding/binary"
	"fmt"
)

// fetchWorker reads its partitions from offset 0 to their ends, and then again.
type fetchWorker struct {
	frame   []byte
	places  map[int32]int // where the fetch offset of a partition stands in the frame
	check   bool
	records int64
}

// newFetchWorker makes a sessionless Fetch for partitions of a topic, from offset 0.
func newFetchWorker(topic string, partitions []int, maxWaitMs, minBytes, maxBytes, partitionMaxBytes int) *fetchWorker {
	f := &fetchWorker{places: map[int32]int{}}
	w := request(apiFetch, versionFetch)
	w.int32(-1)
	w.int32(int32(maxWaitMs))
	w.int32(int32(minBytes))
	w.int32(int32(maxBytes))
	w.int8(0)   // read uncommitted
	w.int32(0)  // session id
	w.int32(-1) // session epoch: no session
	w.count(1)
	w.text(topic)
	w.count(len(partitions))
	for _, partition := range partitions {
		w.int32(int32(partition))
		w.int32(-1) // current leader epoch
		f.places[int32(partition)] = len(w.buf)
		w.int64(0)
		w.int32(-1) // last fetched epoch
		w.int64(-1) // log start offset
		w.int32(int32(partitionMaxBytes))
		w.tags()
	}
	w.tags()
	w.count(0) // forgotten topics
	w.text("") // rack
	w.tags()
	f.frame = w.finish()
	return f
}

func (f *fetchWorker) next() []byte { return f.frame }

func (f *fetchWorker) seek(partition int32, offset int64) {
	binary.BigEndian.PutUint64(f.frame[f.places[partition]:], uint64(offset))
}

func (f *fetchWorker) offset(partition int32) int64 {
	return int64(binary.BigEndian.Uint64(f.frame[f.places[partition]:]))
}

func (f *fetchWorker) done(r reader) (int64, error) {
	total := int64(0)
	err := eachFetched(r, func(partition int32, highWatermark int64, records []byte) error {
		next, broken := f.offset(partition), false
		eachBatch(records, func(batch []byte, after int64) {
			f.records += after - int64(binary.BigEndian.Uint64(batch))
			next, broken = after, broken || f.check && !intact(batch)
		})
		if broken {
			return fmt.Errorf("Fetch: a damaged batch before offset %d", next)
		}
		if next >= highWatermark {
			next = 0
		}
		f.seek(partition, next)
		total += int64(len(records))
		return nil
	})
	return total, err
}

// eachFetched calls see with each partition of a Fetch response; any error code ends it.
func eachFetched(r reader, see func(partition int32, highWatermark int64, records []byte) error) error {
	r.tags()
	r.int32() // throttle time
	if code := r.int16(); code != 0 {
		return fmt.Errorf("Fetch: error %d", code)
	}
	r.int32() // session id
	for topics := r.count(); topics > 0 && r.err == nil; topics-- {
		r.bytes()
		for partitions := r.count(); partitions > 0 && r.err == nil; partitions-- {
			partition, code, highWatermark := r.int32(), r.int16(), r.int64()
			r.int64() // last stable offset
			r.int64() // log start offset
			for aborted := r.count(); aborted > 0 && r.err == nil; aborted-- {
				r.int64()
				r.int64()
				r.tags()
			}
			r.int32() // preferred read replica
			records := r.bytes()
			r.tags()
			if code != 0 {
				return fmt.Errorf("Fetch: partition %d: error %d", partition, code)
			}
			if r.err == nil {
				if err := see(partition, highWatermark, records); err != nil {
					return err
				}
			}
		}
		r.tags()
	}
	return r.err
}

func runFetch(o *options) (map[string]any, error) {
	workers := make([]*fetchWorker, o.conns)
	for i := range workers {
		// Each connection reads its share of the partitions; with fewer partitions than connections they share.
		partitions := []int{}
		for p := i % o.partitions; p < o.partitions; p += o.conns {
			partitions = append(partitions, p)
		}
		workers[i] = newFetchWorker(o.topic, partitions, 500, 1, o.maxBytes, o.partitionMaxBytes)
		workers[i].check = o.check
	}
	o.inFlight = 1 // the next request needs the offsets of the last response
	all, err := runClosed(o, func(i int) worker { return workers[i] })
	if err != nil {
		return nil, err
	}
	records := int64(0)
	for _, w := range workers {
		records += w.records
	}
	result := all.report()
	result["records_with_warmup"] = records
	return withHistogram(o, result, &all.latency), nil
}

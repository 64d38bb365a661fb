package main

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// produceWorker sends the same batch again and again, to each of the partitions in turn.
type produceWorker struct {
	frame      []byte
	partition  int // where the partition stands in the frame
	batch      int // where the batch begins in the frame
	batchBytes int
	turn, step int
	partitions int
}

func newProduceWorker(topic string, batch []byte, acks int16, first, step, partitions int) *produceWorker {
	w := request(apiProduce, versionProduce)
	w.null() // transactional id
	w.int16(acks)
	w.int32(30_000)
	w.count(1)
	w.text(topic)
	w.count(1)
	partition := len(w.buf)
	w.int32(0)
	w.count(len(batch))
	start := len(w.buf)
	w.raw(batch)
	w.tags()
	w.tags()
	w.tags()
	return &produceWorker{
		frame: w.finish(), partition: partition, batch: start, batchBytes: len(batch),
		turn: first, step: step, partitions: partitions,
	}
}

func (p *produceWorker) next() []byte {
	binary.BigEndian.PutUint32(p.frame[p.partition:], uint32(p.turn%p.partitions))
	p.turn += p.step
	return p.frame
}

func (p *produceWorker) done(r reader) (int64, error) {
	_, err := produced(r)
	return int64(p.batchBytes), err
}

// produced reads the base offset of the one partition in a Produce response.
func produced(r reader) (int64, error) {
	r.tags()
	if r.count() != 1 || r.bytes() == nil || r.count() != 1 {
		return 0, fmt.Errorf("Produce: not the one partition that was asked for")
	}
	r.int32()
	code, offset := r.int16(), r.int64()
	if code != 0 || r.err != nil {
		return 0, fmt.Errorf("Produce: error %d, %v", code, r.err)
	}
	return offset, nil
}

func runProduce(o *options) (map[string]any, error) {
	batch, records := newBatch(o.batchBytes, o.recordBytes)
	work := func(i int) worker {
		return newProduceWorker(o.topic, batch, int16(o.acks), i, o.conns, o.partitions)
	}
	run := runClosed
	if o.acks == 0 {
		run = runUnanswered
	}
	all, err := run(o, work)
	if err != nil {
		return nil, err
	}
	all.bytes = all.requests * int64(len(batch))
	result := all.report()
	result["batch_bytes"] = len(batch)
	result["records_per_batch"] = records
	result["records_per_s"] = float64(all.requests) * float64(records) / all.elapsed.Seconds()
	return withHistogram(o, result, &all.latency), nil
}

// runUnanswered sends without responses (acks=0); an ApiVersions request at the end shows that the broker came so far.
func runUnanswered(o *options, build func(i int) worker) (*totals, error) {
	begin := time.Now().Add(o.warmup)
	end := begin.Add(o.duration)
	all := &totals{}
	var group sync.WaitGroup
	var mutex sync.Mutex
	var failure error
	for i := range o.conns {
		group.Go(func() {
			requests, err := sendUntil(o, build(i), begin, end)
			mutex.Lock()
			defer mutex.Unlock()
			all.requests += requests
			if err != nil {
				failure = err
			}
		})
	}
	group.Wait()
	all.elapsed = time.Since(begin)
	return all, failure
}

func sendUntil(o *options, work worker, begin, end time.Time) (int64, error) {
	c, err := dial(o.bootstrap)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(end.Add(30 * time.Second))
	requests := int64(0)
	for now := time.Now(); now.Before(end); now = time.Now() {
		if err := c.send(work.next()); err != nil {
			return 0, err
		}
		if now.After(begin) {
			requests++
		}
	}
	frame := apiVersionsRequest()
	// Only this request is answered, and it is not the first one.
	c.readID = c.nextID
	r, err := c.call(frame)
	if err != nil {
		return 0, err
	}
	return requests, checkAPIVersions(r)
}

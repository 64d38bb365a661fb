package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// A schedule is open loop: request k is due at start + k/rate, whether or not earlier ones were answered. Latencies
// count from when a request was due, so that a broker that stalls cannot hide it by holding requests back.
type schedule struct {
	start   time.Time
	rate    float64
	count   int
	skipped int // requests of the warm-up
}

func newSchedule(o *options) *schedule {
	return &schedule{
		start:   time.Now().Add(50 * time.Millisecond),
		rate:    o.rate,
		count:   int(o.rate * (o.warmup + o.duration).Seconds()),
		skipped: int(o.rate * o.warmup.Seconds()),
	}
}

func (s *schedule) due(k int) time.Time {
	return s.start.Add(time.Duration(float64(k) / s.rate * float64(time.Second)))
}

// send calls one with each request when it is due. Go's timers are a millisecond coarse; nanosleep on a thread with the
// least timer slack is not.
func (s *schedule) send(one func(k int) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const prSetTimerSlack = 29
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
	for k := range s.count {
		for wait := time.Until(s.due(k)); wait > 0; wait = time.Until(s.due(k)) {
			pause := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&pause, nil) // interrupted by a signal: sleep again
		}
		if err := one(k); err != nil {
			return err
		}
	}
	return nil
}

// rateProducer sends one batch a request at the scheduled times, over connections in turn.
type rateProducer struct {
	schedule *schedule
	conns    []*conn
	workers  []*produceWorker
	stamped  bool // the first value begins with the number of its request
	late     latencies
}

// Where the value of the first record begins in a batch: it stands behind a length of two bytes or one, attributes,
// timestamp delta, offset delta, null key and its own length.
func valueStart(batch []byte) int {
	at := batchHeaderSize
	_, n := binary.Varint(batch[at:])
	at += n + 1 + 1 + 1 + 1
	_, n = binary.Varint(batch[at:])
	return at + n
}

func newRateProducer(o *options, stamped bool) (*rateProducer, error) {
	if o.acks == 0 {
		return nil, fmt.Errorf("a latency needs an answer: -acks 0 has none")
	}
	batch, _ := newBatch(o.batchBytes, o.recordBytes)
	p := &rateProducer{stamped: stamped}
	for i := range o.conns {
		c, err := dial(o.bootstrap)
		if err != nil {
			return nil, err
		}
		p.conns = append(p.conns, c)
		p.workers = append(p.workers, newProduceWorker(o.topic, batch, int16(o.acks), i, o.conns, o.partitions))
	}
	p.schedule = newSchedule(o)
	for _, c := range p.conns {
		c.SetDeadline(p.schedule.due(p.schedule.count).Add(30 * time.Second))
	}
	return p, nil
}

func (p *rateProducer) one(k int) error {
	if k >= p.schedule.skipped {
		p.late.add(time.Since(p.schedule.due(k)))
	}
	i := k % len(p.conns)
	frame := p.workers[i].next()
	if p.stamped {
		batch := frame[p.workers[i].batch:][:p.workers[i].batchBytes]
		binary.BigEndian.PutUint64(batch[valueStart(batch):], uint64(k))
		setCRC(batch)
	}
	return p.conns[i].send(frame)
}

// run sends everything and receives every response; the latencies are those after the warm-up.
func (p *rateProducer) run() (*latencies, error) {
	results := make(chan error, len(p.conns)+1)
	each := make([]latencies, len(p.conns))
	for i, c := range p.conns {
		go func() {
			for k := i; k < p.schedule.count; k += len(p.conns) {
				r, err := c.receive()
				if err == nil {
					_, err = produced(r)
				}
				if err != nil {
					results <- err
					return
				}
				if k >= p.schedule.skipped {
					each[i].add(time.Since(p.schedule.due(k)))
				}
			}
			results <- nil
		}()
	}
	go func() { results <- p.schedule.send(p.one) }()
	var failure error
	for range len(p.conns) + 1 {
		if err := <-results; err != nil && failure == nil {
			failure = err
			p.close() // what else is under way ends with an error too
		}
	}
	all := &latencies{}
	for i := range each {
		all.merge(&each[i])
	}
	return all, failure
}

func (p *rateProducer) close() {
	for _, c := range p.conns {
		c.Close()
	}
}

func (p *rateProducer) report(o *options, acknowledged *latencies) map[string]any {
	return map[string]any{
		"rate":               o.rate,
		"seconds":            o.duration.Seconds(),
		"requests":           acknowledged.count,
		"produce_latency_us": acknowledged.report(),
		"sent_late_us":       p.late.report(),
		"batch_bytes":        p.workers[0].batchBytes,
	}
}

func runRate(o *options) (map[string]any, error) {
	p, err := newRateProducer(o, false)
	if err != nil {
		return nil, err
	}
	defer p.close()
	acknowledged, err := p.run()
	if err != nil {
		return nil, err
	}
	result := p.report(o, acknowledged)
	result["latency_us"] = result["produce_latency_us"]
	return withHistogram(o, result, acknowledged), nil
}

// runE2E produces to partition 0 at a fixed rate, and reads it through a Fetch that waits for data.
func runE2E(o *options) (map[string]any, error) {
	o.partitions, o.conns = 1, 1
	if o.batchBytes > 0 || o.recordBytes < 8 {
		return nil, fmt.Errorf("e2e sends one record a request, of 8 bytes at least")
	}
	first, err := endOffset(o)
	if err != nil {
		return nil, err
	}
	p, err := newRateProducer(o, true)
	if err != nil {
		return nil, err
	}
	defer p.close()
	c, err := dial(o.bootstrap)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(p.schedule.due(p.schedule.count).Add(10 * time.Second))
	arrived := &latencies{}
	var got atomic.Int64
	finished := make(chan error, 1)
	go func() { finished <- follow(o, c, p.schedule, first, arrived, &got) }()
	acknowledged, err := p.run()
	if err != nil {
		return nil, err
	}
	if err := <-finished; err != nil {
		return nil, fmt.Errorf("%d of %d records arrived: %w", got.Load(), p.schedule.count, err)
	}
	result := p.report(o, acknowledged)
	result["latency_us"] = arrived.report()
	return withHistogram(o, result, arrived), nil
}

// endOffset sends one record and tells the offset behind it.
func endOffset(o *options) (int64, error) {
	c, err := dial(o.bootstrap)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	batch, _ := newBatch(0, o.recordBytes)
	r, err := c.call(newProduceWorker(o.topic, batch, -1, 0, 0, 1).next())
	if err != nil {
		return 0, err
	}
	offset, err := produced(r)
	return offset + 1, err
}

// follow reads until every record of the schedule has come, each once and in order.
func follow(o *options, c *conn, s *schedule, first int64, arrived *latencies, got *atomic.Int64) error {
	work := newFetchWorker(o.topic, []int{0}, 500, 1, o.maxBytes, o.partitionMaxBytes)
	work.seek(0, first)
	for got.Load() < int64(s.count) {
		r, err := c.call(work.next())
		if err != nil {
			return err
		}
		now := time.Now()
		err = eachFetched(r, func(_ int32, _ int64, records []byte) error {
			var wrong error
			eachBatch(records, func(batch []byte, after int64) {
				k := int64(binary.BigEndian.Uint64(batch[valueStart(batch):]))
				if k != got.Load() {
					wrong = fmt.Errorf("record %d came in place of %d", k, got.Load())
				}
				if k >= int64(s.skipped) {
					arrived.add(now.Sub(s.due(int(k))))
				}
				got.Add(1)
				work.seek(0, after)
			})
			return wrong
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"sync"
	"time"
)

// worker makes the requests of one connection and reads their responses.
type worker interface {
	// next gives the next frame; it is free to be changed after it was sent.
	next() []byte
	// done reads a response and tells how many bytes of data the request moved.
	done(r reader) (int64, error)
}

// totals is what was measured between the end of the warm-up and the end.
type totals struct {
	requests int64
	bytes    int64
	latency  latencies
	elapsed  time.Duration
}

func (t *totals) report() map[string]any {
	seconds := t.elapsed.Seconds()
	return map[string]any{
		"seconds":        seconds,
		"requests":       t.requests,
		"requests_per_s": float64(t.requests) / seconds,
		"bytes":          t.bytes,
		"mb_per_s":       float64(t.bytes) / seconds / 1e6,
		"latency_us":     t.latency.report(),
	}
}

// Frames that are smaller than this are sent together.
const togetherBytes = 16 << 10

// runClosed keeps inFlight requests under way on each of the connections; a response makes room for the next request.
func runClosed(o *options, build func(i int) worker) (*totals, error) {
	begin := time.Now().Add(o.warmup)
	end := begin.Add(o.duration)
	all := &totals{elapsed: o.duration}
	var group sync.WaitGroup
	var mutex sync.Mutex
	var failure error
	for i := range o.conns {
		group.Go(func() {
			one, err := runOne(o, build(i), begin, end)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				failure = err
				return
			}
			all.requests += one.requests
			all.bytes += one.bytes
			all.latency.merge(&one.latency)
		})
	}
	group.Wait()
	return all, failure
}

func runOne(o *options, work worker, begin, end time.Time) (*totals, error) {
	c, err := dial(o.bootstrap)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(end.Add(30 * time.Second))
	result := &totals{}
	sent := make([]time.Time, 0, o.inFlight)
	var together []byte
	for room := o.inFlight; ; {
		now := time.Now()
		if now.After(end) && len(sent) == 0 {
			return result, nil
		}
		for ; room > 0 && now.Before(end); room-- {
			frame := work.next()
			sent = append(sent, now)
			if len(frame) >= togetherBytes {
				if err := c.send(frame); err != nil {
					return nil, err
				}
				continue
			}
			c.number(frame)
			together = append(together, frame...)
		}
		if len(together) > 0 {
			if _, err := c.Write(together); err != nil {
				return nil, err
			}
			together = together[:0]
		}
		for first := true; len(sent) > 0 && (first || c.waiting()); first = false {
			r, err := c.receive()
			if err != nil {
				return nil, err
			}
			bytes, err := work.done(r)
			if err != nil {
				return nil, err
			}
			now = time.Now()
			if now.After(begin) && now.Before(end) {
				result.requests++
				result.bytes += bytes
				result.latency.add(now.Sub(sent[0]))
			}
			sent = append(sent[:0], sent[1:]...)
			room++
		}
	}
}

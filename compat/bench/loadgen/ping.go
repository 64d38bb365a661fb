package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// pingWorker sends one request again and again.
type pingWorker struct {
	frame []byte
	check func(r reader) error
	size  int
}

func (p *pingWorker) next() []byte { return p.frame }

func (p *pingWorker) done(r reader) (int64, error) {
	p.size = len(r.buf) + 8
	return int64(p.size), p.check(r)
}

func runPing(o *options, build func() *pingWorker) (map[string]any, error) {
	var last *pingWorker
	all, err := runClosed(o, func(i int) worker {
		work := build()
		if i == 0 {
			last = work
		}
		return work
	})
	if err != nil {
		return nil, err
	}
	result := all.report()
	result["response_bytes"] = last.size
	return withHistogram(o, result, &all.latency), nil
}

func runAPIVersions(o *options) (map[string]any, error) {
	return runPing(o, func() *pingWorker { return &pingWorker{frame: apiVersionsRequest(), check: checkAPIVersions} })
}

// runMetadata asks for the named topics, or for all. Responses are read through once, then only received: reading
// 10,000 partitions takes the generator longer than the broker may need.
func runMetadata(o *options) (map[string]any, error) {
	var topics []string
	if o.topic != "" {
		topics = names(o.topic, o.topics)
	}
	c, err := dial(o.bootstrap)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := c.call(metadataRequest(topics))
	if err != nil {
		return nil, err
	}
	partitions, err := ledPartitions(r)
	if err != nil {
		return nil, err
	}
	expected := len(r.buf)
	result, err := runPing(o, func() *pingWorker {
		return &pingWorker{frame: metadataRequest(topics), check: func(r reader) error {
			if len(r.buf) != expected {
				return fmt.Errorf("Metadata: %d bytes, %d before", len(r.buf), expected)
			}
			return nil
		}}
	})
	if err == nil {
		result["partitions"] = partitions
	}
	return result, err
}

// runConns opens connections, asks each for ApiVersions, and closes it, or keeps all until standard input ends.
func runConns(o *options) (map[string]any, error) {
	begin := time.Now()
	end := begin.Add(o.duration)
	all := &totals{}
	kept := []*conn{}
	var group sync.WaitGroup
	var mutex sync.Mutex
	var failure error
	left := o.total
	more := func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		left--
		return failure == nil && (o.total == 0 && time.Now().Before(end) || left >= 0)
	}
	for range o.conns {
		group.Go(func() {
			greeter := newGreeter(o)
			for more() {
				started := time.Now()
				c, err := greeter.greet()
				took := time.Since(started)
				mutex.Lock()
				if err != nil {
					failure = err
				} else if o.keep {
					kept = append(kept, c)
				}
				all.requests++
				all.latency.add(took)
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	all.elapsed = time.Since(begin)
	if failure != nil {
		return nil, failure
	}
	result := all.report()
	delete(result, "bytes")
	delete(result, "mb_per_s")
	if o.keep {
		o.afterwards = func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			for _, c := range kept {
				c.Close()
			}
		}
	}
	return withHistogram(o, result, &all.latency), nil
}

// greeter opens connections, one after the other. What it needs for one serves for the next, so that the generator's
// own work does not bound what the broker can show.
type greeter struct {
	o     *options
	frame []byte
	in    *bufio.Reader
	body  []byte
}

func newGreeter(o *options) *greeter {
	return &greeter{o: o, frame: apiVersionsRequest(), in: bufio.NewReaderSize(nil, greetingBytes)}
}

// An ApiVersions response has about 500 bytes.
const greetingBytes = 4096

// greet opens a connection and asks for ApiVersions; unless connections are kept it resets the connection, since tens
// of thousands of closed ones would use up the ports.
func (g *greeter) greet() (*conn, error) {
	if g.o.keep {
		g.in, g.body = bufio.NewReaderSize(nil, greetingBytes), nil
	}
	c, err := dialInto(g.o.bootstrap, g.in)
	if err != nil {
		return nil, err
	}
	c.frame = g.body
	c.SetDeadline(time.Now().Add(10 * time.Second))
	r, err := c.call(g.frame)
	if err == nil {
		err = checkAPIVersions(r)
	}
	g.body = c.frame
	if err != nil || !g.o.keep {
		_ = c.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
		c.Close()
	}
	return c, err
}

package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
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
	// A connection that waits in a system call must not keep the others from running.
	runtime.GOMAXPROCS(max(runtime.NumCPU(), o.conns))
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
			greeter, err := newGreeter(o)
			if err != nil {
				mutex.Lock()
				failure = err
				mutex.Unlock()
			}
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

// greeter opens connections, one after the other. Those that are not kept are made by plain system calls, since Go's
// own connections cost the generator more than a broker spends on them.
type greeter struct {
	o       *options
	frame   []byte
	answer  []byte
	address syscall.SockaddrInet4
}

func newGreeter(o *options) (*greeter, error) {
	resolved, err := net.ResolveTCPAddr("tcp4", o.bootstrap)
	if err != nil {
		return nil, err
	}
	g := &greeter{o: o, frame: apiVersionsRequest(), answer: make([]byte, 4096)}
	g.address.Port = resolved.Port
	copy(g.address.Addr[:], resolved.IP.To4())
	return g, nil
}

// greet opens a connection and asks for ApiVersions; unless connections are kept it resets the connection, since tens
// of thousands of closed ones would use up the ports.
func (g *greeter) greet() (*conn, error) {
	if !g.o.keep {
		return nil, g.meet()
	}
	c, err := dial(g.o.bootstrap)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	r, err := c.call(append([]byte(nil), g.frame...))
	if err == nil {
		err = checkAPIVersions(r)
	}
	if err != nil {
		c.Close()
	}
	return c, err
}

func (g *greeter) meet() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}); err != nil {
		return err
	}
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 10}); err != nil {
		return err
	}
	if err := syscall.Connect(fd, &g.address); err != nil {
		return err
	}
	if _, err := syscall.Write(fd, g.frame); err != nil {
		return err
	}
	have, want := 0, 4
	for have < want {
		n, err := syscall.Read(fd, g.answer[have:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		have += n
		if have >= 4 {
			want = 4 + int(binary.BigEndian.Uint32(g.answer))
		}
		if want > len(g.answer) {
			return fmt.Errorf("a response of %d bytes", want)
		}
	}
	r := reader{buf: g.answer[4:want]}
	r.int32() // correlation id
	return checkAPIVersions(r)
}

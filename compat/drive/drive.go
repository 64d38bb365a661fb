// Package drive lets a test drive a Kafka client over standard input and output, one JSON object a line.
//
// A request is {"id", "op", "args"}; its answer {"id", "result"} or {"id", "error"}. Requests are begun in the order in
// which they come; answers come when they are ready. End of input ends the program. The rule of this package: it knows
// no Kafka library.
package drive

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// Header is a record header; a null value is nil.
type Header struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// Record is a record sent or fetched. Nil bytes are null, and the timestamp is in milliseconds.
type Record struct {
	Partition   int32    `json:"partition"`
	Offset      int64    `json:"offset"`
	TimestampMs int64    `json:"timestamp_ms"`
	Key         []byte   `json:"key"`
	Value       []byte   `json:"value"`
	Headers     []Header `json:"headers"`
}

// Reply answers a request, once.
type Reply func(result any, err error)

// Operation begins a request. It must return soon: what takes time it does elsewhere, and replies from there.
type Operation func(ctx context.Context, args json.RawMessage, reply Reply)

type request struct {
	ID   int64           `json:"id"`
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args"`
}

type answer struct {
	ID     int64  `json:"id"`
	Result any    `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Ordered is an operation that begins before any later request is read, and replies itself.
func Ordered[A any](begin func(ctx context.Context, args A, reply Reply)) Operation {
	return func(ctx context.Context, raw json.RawMessage, reply Reply) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			reply(nil, fmt.Errorf("arguments: %w", err))
			return
		}
		begin(ctx, args, reply)
	}
}

// Apart is an operation that runs on a goroutine of its own.
func Apart[A any](run func(ctx context.Context, args A) (any, error)) Operation {
	return Ordered(func(ctx context.Context, args A, reply Reply) {
		go func() { reply(run(ctx, args)) }()
	})
}

// Serve answers requests from standard input until it ends.
func Serve(operations map[string]Operation) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mutex sync.Mutex
	out := json.NewEncoder(os.Stdout)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			fail(err)
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil {
			fail(err)
		}
		reply := func(result any, err error) {
			said := answer{ID: asked.ID, Result: result}
			if err != nil {
				said = answer{ID: asked.ID, Error: err.Error()}
			}
			mutex.Lock()
			defer mutex.Unlock()
			if err := out.Encode(said); err != nil {
				fail(err)
			}
		}
		operation, known := operations[asked.Op]
		if !known {
			reply(nil, fmt.Errorf("no operation is called %q", asked.Op))
			continue
		}
		operation(ctx, asked.Args, reply)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "drive:", err)
	os.Exit(1)
}

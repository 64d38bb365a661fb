package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// API keys, and the version of each that is spoken here: all flexible (KIP-482), topics by name.
const (
	apiProduce, versionProduce           = 0, 11
	apiFetch, versionFetch               = 1, 12
	apiMetadata, versionMetadata         = 3, 12
	apiAPIVersions, versionAPIVersions   = 18, 3
	apiCreateTopics, versionCreateTopics = 19, 7
)

const clientID = "loadgen"

// writer appends wire types to a buffer.
type writer struct{ buf []byte }

func (w *writer) int8(v int8)     { w.buf = append(w.buf, byte(v)) }
func (w *writer) int16(v int16)   { w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(v)) }
func (w *writer) int32(v int32)   { w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(v)) }
func (w *writer) int64(v int64)   { w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(v)) }
func (w *writer) uvarint(v int)   { w.buf = binary.AppendUvarint(w.buf, uint64(v)) }
func (w *writer) varint(v int64)  { w.buf = binary.AppendVarint(w.buf, v) }
func (w *writer) count(n int)     { w.uvarint(n + 1) }
func (w *writer) tags()           { w.buf = append(w.buf, 0) }
func (w *writer) null()           { w.buf = append(w.buf, 0) }
func (w *writer) raw(data []byte) { w.buf = append(w.buf, data...) }

func (w *writer) text(s string) {
	w.count(len(s))
	w.buf = append(w.buf, s...)
}

// request begins a request with its size (set by finish) and header version 2.
func request(api, version int16) *writer {
	w := &writer{}
	w.int32(0)
	w.int16(api)
	w.int16(version)
	w.int32(0)
	w.int16(int16(len(clientID)))
	w.raw([]byte(clientID))
	w.tags()
	return w
}

// finish sets the size and returns the frame.
func (w *writer) finish() []byte {
	binary.BigEndian.PutUint32(w.buf, uint32(len(w.buf)-4))
	return w.buf
}

func setCorrelationID(frame []byte, id int32) { binary.BigEndian.PutUint32(frame[8:], uint32(id)) }

// zeros stands in for a fixed-size field that is missing.
var zeros [16]byte

var errShort = errors.New("the response is shorter than its fields")

// reader takes wire types from a response; after a failure all values are zero and err is set.
type reader struct {
	buf []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.buf) {
		r.err = errShort
		return zeros[:min(max(n, 0), len(zeros))]
	}
	data := r.buf[:n]
	r.buf = r.buf[n:]
	return data
}

func (r *reader) int8() int8   { return int8(r.take(1)[0]) }
func (r *reader) int16() int16 { return int16(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) int32() int32 { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) int64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }

func (r *reader) uvarint() int {
	value, n := binary.Uvarint(r.buf)
	if r.err != nil || n <= 0 || value > 1<<31 {
		r.err = errShort
		return 0
	}
	r.buf = r.buf[n:]
	return int(value)
}

// count reads a compact length; -1 is null.
func (r *reader) count() int { return r.uvarint() - 1 }

func (r *reader) bytes() []byte {
	if n := r.count(); n >= 0 {
		return r.take(n)
	}
	return nil
}

func (r *reader) tags() {
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		r.uvarint()
		r.take(r.uvarint())
	}
}

// conn is one connection; requests and responses go in order.
type conn struct {
	net.Conn
	in     *bufio.Reader
	size   [4]byte
	frame  []byte
	nextID int32
	readID int32
}

func dial(address string) (*conn, error) {
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 64<<10)}, nil
}

// number gives the frame the next correlation id.
func (c *conn) number(frame []byte) {
	setCorrelationID(frame, c.nextID)
	c.nextID++
}

func (c *conn) send(frame []byte) error {
	c.number(frame)
	_, err := c.Write(frame)
	return err
}

// receive reads the next response and checks its correlation id. The reader, whose bytes hold until the next call,
// stands behind the correlation id. At the deadline of the connection it fails.
func (c *conn) receive() (reader, error) {
	if _, err := io.ReadFull(c.in, c.size[:]); err != nil {
		return reader{}, err
	}
	n := int(binary.BigEndian.Uint32(c.size[:]))
	if n < 4 || n > 1<<30 {
		return reader{}, fmt.Errorf("a response of %d bytes", n)
	}
	if cap(c.frame) < n {
		c.frame = make([]byte, n+n/4)
	}
	c.frame = c.frame[:n]
	if _, err := io.ReadFull(c.in, c.frame); err != nil {
		return reader{}, err
	}
	r := reader{buf: c.frame}
	if id := r.int32(); id != c.readID {
		return r, fmt.Errorf("response %d came in place of %d", id, c.readID)
	}
	c.readID++
	return r, nil
}

// waiting tells whether a whole response lies in the read buffer.
func (c *conn) waiting() bool {
	if c.in.Buffered() < 4 {
		return false
	}
	size, _ := c.in.Peek(4)
	return c.in.Buffered() >= 4+int(binary.BigEndian.Uint32(size))
}

func (c *conn) call(frame []byte) (reader, error) {
	if err := c.send(frame); err != nil {
		return reader{}, err
	}
	return c.receive()
}

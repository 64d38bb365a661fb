package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"
)

// The classic group protocol, in flexible versions that every Kafka since 2.4 serves.
const (
	apiFindCoordinator, versionFindCoordinator = 10, 4
	apiJoinGroup, versionJoinGroup             = 11, 7
	apiHeartbeat, versionHeartbeat             = 12, 4
	apiLeaveGroup, versionLeaveGroup           = 13, 4
	apiSyncGroup, versionSyncGroup             = 14, 5
)

const (
	errCoordinatorLoading      = 14
	errCoordinatorNotAvailable = 15
	errNotCoordinator          = 16
	errIllegalGeneration       = 22
	errUnknownMember           = 25
	errRebalanceInProgress     = 27
	errMemberIDRequired        = 79
)

// What a consumer's subscription and assignment come to.
const metadataBytes, assignmentBytes = 100, 100

const sessionMS = 60_000

// member is one member of the group, on a connection of its own.
type member struct {
	group      string
	c          *conn
	id         string
	generation int32
	all        []string // the ids of all members; of the leader only
}

// join waits for the end of the phase in which members join. A mark that differs from the last one is a new
// subscription, so that the group is rebalanced.
func (m *member) join(mark int) (int16, error) {
	for {
		code, err := m.joinOnce(mark)
		switch {
		case err != nil:
			return 0, err
		case code == errCoordinatorLoading, code == errCoordinatorNotAvailable, code == errNotCoordinator:
			time.Sleep(20 * time.Millisecond)
		case code != errMemberIDRequired:
			return code, nil
		}
	}
}

func (m *member) joinOnce(mark int) (int16, error) {
	// A subscription to no topic in version 0, which coordinators look into; the mark is its user data.
	metadata := make([]byte, metadataBytes)
	binary.BigEndian.PutUint32(metadata[6:], metadataBytes-10)
	binary.BigEndian.PutUint64(metadata[10:], uint64(mark))
	w := request(apiJoinGroup, versionJoinGroup)
	w.text(m.group)
	w.int32(sessionMS)
	w.int32(sessionMS) // rebalance timeout
	w.text(m.id)
	w.null() // group instance id
	w.text("consumer")
	w.count(1)
	w.text("range")
	w.count(len(metadata))
	w.raw(metadata)
	w.tags()
	w.tags()
	r, err := m.c.call(w.finish())
	if err != nil {
		return 0, err
	}
	r.tags()
	r.int32() // throttle time
	code := r.int16()
	m.generation = r.int32()
	r.bytes() // protocol type
	r.bytes() // protocol name
	r.bytes() // leader
	m.id = string(r.bytes())
	m.all = m.all[:0]
	for n := r.count(); n > 0 && r.err == nil; n-- {
		m.all = append(m.all, string(r.bytes()))
		r.bytes() // group instance id
		r.bytes() // metadata
		r.tags()
	}
	return code, r.err
}

// sync waits for the assignment; the leader, which has been told of all members, gives it.
func (m *member) sync() (int16, error) {
	w := request(apiSyncGroup, versionSyncGroup)
	w.text(m.group)
	w.int32(m.generation)
	w.text(m.id)
	w.null() // group instance id
	w.text("consumer")
	w.text("range")
	w.count(len(m.all))
	for _, id := range m.all {
		w.text(id)
		w.count(assignmentBytes)
		w.raw(make([]byte, assignmentBytes))
		w.tags()
	}
	w.tags()
	r, err := m.c.call(w.finish())
	if err != nil {
		return 0, err
	}
	r.tags()
	r.int32() // throttle time
	code := r.int16()
	r.bytes() // protocol type
	r.bytes() // protocol name
	if assigned := r.bytes(); code == 0 && len(assigned) != assignmentBytes {
		return 0, fmt.Errorf("SyncGroup: an assignment of %d bytes", len(assigned))
	}
	return code, r.err
}

func (m *member) heartbeat() (int16, error) {
	w := request(apiHeartbeat, versionHeartbeat)
	w.text(m.group)
	w.int32(m.generation)
	w.text(m.id)
	w.null() // group instance id
	w.tags()
	r, err := m.c.call(w.finish())
	if err != nil {
		return 0, err
	}
	r.tags()
	r.int32() // throttle time
	return r.int16(), r.err
}

// settle joins, and joins again as often as others have come, as a consumer does, until complete is closed; the leader
// closes it when the group has as many members as are wanted.
func (m *member) settle(wanted int, complete chan struct{}) error {
	for {
		code, err := m.join(0)
		if err == nil && code == 0 {
			code, err = m.sync()
		}
		if err != nil {
			return err
		}
		if code == 0 && len(m.all) == wanted {
			close(complete)
		}
		for code == 0 {
			select {
			case <-complete:
				return nil
			case <-time.After(10 * time.Millisecond):
			}
			if code, err = m.heartbeat(); err != nil {
				return err
			}
		}
		if code != errRebalanceInProgress && code != errIllegalGeneration && code != errUnknownMember {
			return fmt.Errorf("the group: error %d", code)
		}
		if code == errUnknownMember {
			m.id = ""
		}
	}
}

// rebalance is one round: a new subscription, and its assignment.
func (m *member) rebalance(mark int) error {
	code, err := m.join(mark)
	if err == nil && code != 0 {
		err = fmt.Errorf("JoinGroup: error %d", code)
	}
	if err != nil {
		return err
	}
	code, err = m.sync()
	if err == nil && code != 0 {
		err = fmt.Errorf("SyncGroup: error %d", code)
	}
	return err
}

// each does the same on all members at once; the first error, after all have ended.
func each(members []*member, one func(m *member) error) error {
	var group sync.WaitGroup
	results := make(chan error, len(members))
	for _, m := range members {
		group.Go(func() {
			err := one(m)
			if err != nil {
				for _, other := range members {
					other.c.SetDeadline(time.Now()) // they would wait for this one
				}
			}
			results <- err
		})
	}
	group.Wait()
	close(results)
	for err := range results {
		if err != nil {
			return err
		}
	}
	return nil
}

// findCoordinator asks until there is one: the first time, its topic is created.
func findCoordinator(c *conn, group string) error {
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		w := request(apiFindCoordinator, versionFindCoordinator)
		w.int8(0) // a group
		w.count(1)
		w.text(group)
		w.tags()
		r, err := c.call(w.finish())
		if err != nil {
			return err
		}
		r.tags()
		r.int32() // throttle time
		r.count()
		r.bytes() // key
		r.int32() // node
		r.bytes() // host
		r.int32() // port
		if code := r.int16(); r.err != nil || code == 0 {
			return r.err
		}
	}
	return fmt.Errorf("%s has no coordinator", group)
}

// leave takes all members out in one request.
func leave(members []*member) error {
	w := request(apiLeaveGroup, versionLeaveGroup)
	w.text(members[0].group)
	w.count(len(members))
	for _, m := range members {
		w.text(m.id)
		w.null() // group instance id
		w.tags()
	}
	w.tags()
	r, err := members[0].c.call(w.finish())
	if err != nil {
		return err
	}
	r.tags()
	r.int32() // throttle time
	if code := r.int16(); code != 0 {
		return fmt.Errorf("LeaveGroup: error %d", code)
	}
	return r.err
}

// runRebalance makes a group of -conns members and rebalances it again and again: all join with a new subscription, the
// leader assigns, and a rebalance has ended when the last member knows its assignment.
func runRebalance(o *options) (map[string]any, error) {
	group := fmt.Sprintf("loadgen-%d", os.Getpid())
	members := make([]*member, o.conns)
	for i := range members {
		c, err := dial(o.bootstrap)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(o.warmup + o.duration + 60*time.Second))
		members[i] = &member{group: group, c: c}
	}
	if err := findCoordinator(members[0].c, group); err != nil {
		return nil, err
	}
	complete := make(chan struct{})
	if err := each(members, func(m *member) error { return m.settle(len(members), complete) }); err != nil {
		return nil, err
	}
	all := &totals{}
	begin := time.Now().Add(o.warmup)
	for mark := 1; all.requests == 0 || time.Now().Before(begin.Add(o.duration)); mark++ {
		started := time.Now()
		if err := each(members, func(m *member) error { return m.rebalance(mark) }); err != nil {
			return nil, err
		}
		if started.After(begin) {
			all.requests++
			all.latency.add(time.Since(started))
		}
	}
	all.elapsed = time.Since(begin)
	result := all.report()
	delete(result, "bytes")
	delete(result, "mb_per_s")
	result["members"] = len(members)
	return withHistogram(o, result, &all.latency), leave(members)
}

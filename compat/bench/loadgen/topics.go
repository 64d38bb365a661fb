package main

import (
	"fmt"
	"time"
)

const errTopicExists = 36

// names gives topic itself, or topic-0, topic-1, … when there are several.
func names(topic string, topics int) []string {
	if topics <= 1 {
		return []string{topic}
	}
	all := make([]string, topics)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", topic, i)
	}
	return all
}

// createTopics creates the topics that are missing and waits until all their partitions have a leader.
func createTopics(c *conn, topics []string, partitions int) error {
	w := request(apiCreateTopics, versionCreateTopics)
	w.count(len(topics))
	for _, name := range topics {
		w.text(name)
		w.int32(int32(partitions))
		w.int16(1)
		w.count(0) // assignments
		w.count(0) // configs
		w.tags()
	}
	w.int32(60_000)
	w.int8(0) // validate only
	w.tags()
	r, err := c.call(w.finish())
	if err != nil {
		return err
	}
	r.tags()
	r.int32() // throttle time
	for n := r.count(); n > 0 && r.err == nil; n-- {
		name := string(r.bytes())
		r.take(16)
		if code := r.int16(); code != 0 && code != errTopicExists {
			return fmt.Errorf("creating %s: error %d", name, code)
		}
		r.bytes() // error message
		r.int32() // partitions
		r.int16() // replication factor
		for configs := r.count(); configs > 0 && r.err == nil; configs-- {
			r.bytes()
			r.bytes()
			r.int8()
			r.int8()
			r.int8()
			r.tags()
		}
		r.tags()
	}
	if r.err != nil {
		return r.err
	}
	return waitForLeaders(c, topics, partitions)
}

func waitForLeaders(c *conn, topics []string, partitions int) error {
	frame, deadline := metadataRequest(topics), time.Now().Add(60*time.Second)
	for {
		r, err := c.call(frame)
		if err != nil {
			return err
		}
		led, err := ledPartitions(r)
		if err != nil {
			return err
		}
		if led >= len(topics)*partitions {
			return waitForLogs(c, topics, partitions, deadline)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d partitions have a leader", led, len(topics)*partitions)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// waitForLogs waits until the broker serves every partition: Kafka tells of a leader a little before the leader knows.
func waitForLogs(c *conn, topics []string, partitions int, deadline time.Time) error {
	all := make([]int, partitions)
	for i := range all {
		all[i] = i
	}
	for _, name := range topics {
		frame := newFetchWorker(name, all, 0, 0, 1, 1).next()
		for {
			r, err := c.call(frame)
			if err != nil {
				return err
			}
			err = eachFetched(r, func(int32, int64, []byte) error { return nil })
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s is not served: %w", name, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// metadataRequest asks for topics by name, or for all of them if topics is nil.
func metadataRequest(topics []string) []byte {
	w := request(apiMetadata, versionMetadata)
	if topics == nil {
		w.null()
	} else {
		w.count(len(topics))
	}
	for _, name := range topics {
		w.raw(zeros[:])
		w.text(name)
		w.tags()
	}
	w.int8(0) // no automatic creation
	w.int8(0) // no authorized operations
	w.tags()
	return w.finish()
}

// ledPartitions counts the partitions in a Metadata response that have a leader.
func ledPartitions(r reader) (int, error) {
	led := 0
	r.tags()
	r.int32() // throttle time
	for n := r.count(); n > 0 && r.err == nil; n-- {
		r.int32()
		r.bytes()
		r.int32()
		r.bytes()
		r.tags()
	}
	r.bytes() // cluster id
	r.int32() // controller
	for n := r.count(); n > 0 && r.err == nil; n-- {
		r.int16()
		r.bytes()
		r.take(16)
		r.int8()
		for p := r.count(); p > 0 && r.err == nil; p-- {
			if code := r.int16(); code == 0 {
				led++
			}
			r.int32() // partition
			if leader := r.int32(); leader < 0 {
				led--
			}
			r.int32()     // leader epoch
			for range 3 { // replicas, in-sync, offline
				r.take(4 * max(r.count(), 0))
			}
			r.tags()
		}
		r.int32() // authorized operations
		r.tags()
	}
	return led, r.err
}

func apiVersionsRequest() []byte {
	w := request(apiAPIVersions, versionAPIVersions)
	w.text(clientID)
	w.text("1")
	w.tags()
	return w.finish()
}

// checkAPIVersions reads an ApiVersions response, whose header never has tagged fields (KIP-511).
func checkAPIVersions(r reader) error {
	if code := r.int16(); code != 0 || r.err != nil {
		return fmt.Errorf("ApiVersions: error %d, %v", code, r.err)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"klamm/compat/drive"
)

// consumer becomes a client when it is told what to read, since kgo wants to know that from the start.
type consumer struct {
	args   openConsumer
	client *kgo.Client

	mutex    sync.Mutex
	assigned map[int32]bool
}

var consumers drive.Table[*consumer]

type openConsumer struct {
	address
	Handle   int64  `json:"handle"`
	Group    string `json:"group"`
	Protocol string `json:"protocol"`
}

var balancers = map[string]kgo.GroupBalancer{
	"eager":       kgo.RangeBalancer(),
	"cooperative": kgo.CooperativeStickyBalancer(),
}

func beginOpenConsumer(_ context.Context, args openConsumer, reply drive.Reply) {
	consumers.Put(args.Handle, &consumer{args: args, assigned: map[int32]bool{}})
	reply(nil, nil)
}

type consumerTopic struct {
	Handle int64  `json:"handle"`
	Topic  string `json:"topic"`
}

func runAssign(ctx context.Context, args consumerTopic) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	found, err := withAdmin(ctx, c.args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		offsets := map[int32]kgo.Offset{}
		topics, err := admin.ListTopics(ctx, args.Topic)
		for _, partition := range topics[args.Topic].Partitions {
			offsets[partition.Partition] = kgo.NewOffset().AtStart()
		}
		return offsets, err
	})
	if err != nil {
		return nil, err
	}
	c.client, err = connect(
		c.args.Bootstrap,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{args.Topic: found.(map[int32]kgo.Offset)}),
		kgo.FetchMaxWait(100*time.Millisecond),
	)
	return nil, err
}

func runSubscribe(_ context.Context, args consumerTopic) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	balancer, known := balancers[c.args.Protocol]
	if !known {
		return nil, fmt.Errorf("no protocol is called %q", c.args.Protocol)
	}
	drop := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { c.change(lost[args.Topic], false) }
	c.client, err = connect(
		c.args.Bootstrap,
		kgo.ConsumerGroup(c.args.Group),
		kgo.ConsumeTopics(args.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(balancer),
		kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.SessionTimeout(10*time.Second),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, added map[string][]int32) {
			c.change(added[args.Topic], true)
		}),
		kgo.OnPartitionsRevoked(drop),
		kgo.OnPartitionsLost(drop),
	)
	return nil, err
}

func (c *consumer) change(partitions []int32, owned bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, partition := range partitions {
		if owned {
			c.assigned[partition] = true
		} else {
			delete(c.assigned, partition)
		}
	}
}

type poll struct {
	Handle    int64 `json:"handle"`
	TimeoutMs int64 `json:"timeout_ms"`
}

func runPoll(ctx context.Context, args poll) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(args.TimeoutMs)*time.Millisecond)
	defer cancel()
	fetches := c.client.PollFetches(ctx)
	for _, failed := range fetches.Errors() {
		// kgo reports a lost group session here and goes on to join again by itself.
		var lost *kgo.ErrGroupSession
		if !errors.Is(failed.Err, context.DeadlineExceeded) && !errors.As(failed.Err, &lost) {
			return nil, fmt.Errorf("%s-%d: %w", failed.Topic, failed.Partition, failed.Err)
		}
	}
	records := []drive.Record{}
	fetches.EachRecord(func(record *kgo.Record) {
		headers := []drive.Header{}
		for _, header := range record.Headers {
			headers = append(headers, drive.Header{Name: header.Key, Value: header.Value})
		}
		records = append(records, drive.Record{
			Partition:   record.Partition,
			Offset:      record.Offset,
			TimestampMs: record.Timestamp.UnixMilli(),
			Key:         record.Key,
			Value:       record.Value,
			Headers:     headers,
		})
	})
	return records, nil
}

func runAssignment(_ context.Context, args handle) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	partitions := []int32{}
	for partition := range c.assigned {
		partitions = append(partitions, partition)
	}
	slices.Sort(partitions)
	return partitions, nil
}

func runCommit(ctx context.Context, args handle) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return c.client.CommitUncommittedOffsets(ctx) == nil, nil
}

func runCommitted(ctx context.Context, args consumerTopic) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	return withAdmin(ctx, c.args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		fetched, err := admin.FetchOffsets(ctx, c.args.Group)
		if err == nil {
			err = fetched.Error()
		}
		offsets := map[int32]int64{}
		for partition, offset := range fetched.Offsets()[args.Topic] {
			offsets[partition] = offset.At
		}
		return offsets, err
	})
}

func runCloseConsumer(_ context.Context, args handle) (any, error) {
	c, err := consumers.Take(args.Handle)
	if err == nil && c.client != nil {
		c.client.Close()
	}
	return nil, err
}

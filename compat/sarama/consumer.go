package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"klamm/compat/drive"
)

// consumer hands messages from sarama's goroutines to polls through a channel without a buffer: a message that no poll
// has taken is neither marked nor kept when its partition goes.
type consumer struct {
	args    openConsumer
	topic   string
	fetched chan fetched
	stop    context.CancelFunc
	closed  []func() error
	running sync.WaitGroup

	mutex    sync.Mutex
	session  sarama.ConsumerGroupSession
	claimed  map[int32]bool
	position map[int32]int64
}

// fetched is a message, and the session it must be marked in (nil outside a group).
type fetched struct {
	message *sarama.ConsumerMessage
	session sarama.ConsumerGroupSession
}

var consumers drive.Table[*consumer]

type openConsumer struct {
	address
	Handle   int64  `json:"handle"`
	Group    string `json:"group"`
	Protocol string `json:"protocol"`
}

var strategies = map[string]func() sarama.BalanceStrategy{
	"eager":       sarama.NewBalanceStrategyRange,
	"cooperative": sarama.NewBalanceStrategyCooperativeSticky,
}

func beginOpenConsumer(_ context.Context, args openConsumer, reply drive.Reply) {
	consumers.Put(args.Handle, &consumer{
		args: args, fetched: make(chan fetched), claimed: map[int32]bool{}, position: map[int32]int64{},
	})
	reply(nil, nil)
}

type consumerTopic struct {
	Handle int64  `json:"handle"`
	Topic  string `json:"topic"`
}

func (c *consumer) configure() (*sarama.Config, error) {
	config, err := c.args.configure()
	if err != nil {
		return nil, err
	}
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 10 * time.Second
	config.Consumer.Group.Rebalance.Retry.Max = 400
	config.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	strategy, known := strategies[c.args.Protocol]
	if !known {
		return nil, fmt.Errorf("no protocol is called %q", c.args.Protocol)
	}
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy()}
	return config, nil
}

func runAssign(ctx context.Context, args consumerTopic) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	config, err := c.configure()
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewConsumer(c.args.brokers(), config)
	if err != nil {
		return nil, err
	}
	ctx, c.stop = context.WithCancel(ctx)
	partitions, err := client.Partitions(args.Topic)
	if err != nil {
		return nil, err
	}
	for _, partition := range partitions {
		reader, err := client.ConsumePartition(args.Topic, partition, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		c.closed = append(c.closed, reader.Close)
		c.running.Go(func() { c.hand(ctx, reader.Messages(), nil) })
	}
	c.closed = append(c.closed, client.Close)
	return nil, nil
}

func runSubscribe(ctx context.Context, args consumerTopic) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	config, err := c.configure()
	if err != nil {
		return nil, err
	}
	group, err := sarama.NewConsumerGroup(c.args.brokers(), c.args.Group, config)
	if err != nil {
		return nil, err
	}
	c.topic = args.Topic
	c.closed = append(c.closed, group.Close)
	ctx, c.stop = context.WithCancel(ctx)
	c.running.Go(func() {
		// A session ends with a rebalance, or when its broker is lost; sarama's users call again until they are done.
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{args.Topic}, c); err != nil {
				sarama.Logger.Printf("session of %s ended: %v", c.args.Group, err)
			}
		}
	})
	return nil, nil
}

// Setup implements sarama.ConsumerGroupHandler.
func (c *consumer) Setup(session sarama.ConsumerGroupSession) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.session = session
	clear(c.position)
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (c *consumer) Cleanup(sarama.ConsumerGroupSession) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.session = nil
	return nil
}

// ConsumeClaim implements sarama.ConsumerGroupHandler: a partition is ours for as long as it runs.
func (c *consumer) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	c.mutex.Lock()
	c.claimed[claim.Partition()] = true
	c.mutex.Unlock()
	c.hand(session.Context(), claim.Messages(), session)
	c.mutex.Lock()
	delete(c.claimed, claim.Partition())
	delete(c.position, claim.Partition())
	c.mutex.Unlock()
	return nil
}

// hand gives messages to polls until there are no more or the context is done.
func (c *consumer) hand(ctx context.Context, messages <-chan *sarama.ConsumerMessage, session sarama.ConsumerGroupSession) {
	for {
		select {
		case <-ctx.Done():
			return
		case message, open := <-messages:
			if !open {
				return
			}
			select {
			case <-ctx.Done():
				return
			case c.fetched <- fetched{message, session}:
			}
		}
	}
}

type poll struct {
	Handle    int64 `json:"handle"`
	TimeoutMs int64 `json:"timeout_ms"`
}

func runPoll(_ context.Context, args poll) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	records := []drive.Record{}
	timer := time.NewTimer(time.Duration(args.TimeoutMs) * time.Millisecond)
	defer timer.Stop()
	for {
		select {
		case item := <-c.fetched:
			records = append(records, c.take(item))
			// What follows at once belongs to the same poll.
			timer.Reset(5 * time.Millisecond)
		case <-timer.C:
			return records, nil
		}
	}
}

func (c *consumer) take(item fetched) drive.Record {
	message := item.message
	if item.session != nil {
		item.session.MarkMessage(message, "")
		c.mutex.Lock()
		c.position[message.Partition] = message.Offset + 1
		c.mutex.Unlock()
	}
	headers := []drive.Header{}
	for _, header := range message.Headers {
		headers = append(headers, drive.Header{Name: string(header.Key), Value: header.Value})
	}
	return drive.Record{
		Partition:   message.Partition,
		Offset:      message.Offset,
		TimestampMs: message.Timestamp.UnixMilli(),
		Key:         message.Key,
		Value:       message.Value,
		Headers:     headers,
	}
}

func runAssignment(_ context.Context, args handle) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	partitions := []int32{}
	for partition := range c.claimed {
		partitions = append(partitions, partition)
	}
	slices.Sort(partitions)
	return partitions, nil
}

// runCommit commits, and asks the group what it holds now: sarama's Commit tells nothing.
func runCommit(_ context.Context, args handle) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	session, wanted := c.session, map[int32]int64{}
	for partition, offset := range c.position {
		wanted[partition] = offset
	}
	c.mutex.Unlock()
	if session == nil {
		return false, nil
	}
	session.Commit()
	held, err := c.committed(c.topic)
	if err != nil {
		sarama.Logger.Printf("committed offsets of %s: %v", c.args.Group, err)
		return false, nil
	}
	for partition, offset := range wanted {
		if held[partition] != offset {
			return false, nil
		}
	}
	return true, nil
}

func (c *consumer) committed(topic string) (map[int32]int64, error) {
	offsets := map[int32]int64{}
	_, err := withAdmin(c.args.address, func(admin sarama.ClusterAdmin) (any, error) {
		fetched, err := admin.ListConsumerGroupOffsets(c.args.Group, nil)
		if err != nil {
			return nil, err
		}
		if fetched.Err != sarama.ErrNoError {
			return nil, fetched.Err
		}
		for partition, block := range fetched.Blocks[topic] {
			if block.Err != sarama.ErrNoError {
				return nil, block.Err
			}
			offsets[partition] = block.Offset
		}
		return nil, nil
	})
	return offsets, err
}

// runCommitted asks again while the coordinator is moving or loading: sarama hands these errors to its user.
func runCommitted(_ context.Context, args consumerTopic) (any, error) {
	c, err := consumers.Get(args.Handle)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		offsets, err := c.committed(args.Topic)
		unsettled := errors.Is(err, sarama.ErrOffsetsLoadInProgress) || errors.Is(err, sarama.ErrNotCoordinatorForConsumer)
		if !unsettled || time.Now().After(deadline) {
			return offsets, err
		}
	}
}

func runCloseConsumer(_ context.Context, args handle) (any, error) {
	c, err := consumers.Take(args.Handle)
	if err != nil {
		return nil, err
	}
	if c.stop != nil {
		c.stop()
	}
	c.running.Wait()
	for _, close := range c.closed {
		if err := close(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

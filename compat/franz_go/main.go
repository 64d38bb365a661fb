// franz_go drives franz-go (kgo and kadm) for the compat tests; see ../drive.
//
// No retries of our own: what the library does by itself is what is tested.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"klamm/compat/drive"
)

// address is where an operation finds the broker.
type address struct {
	Bootstrap string `json:"bootstrap"`
}

var codecs = map[string]func() kgo.CompressionCodec{
	"none":   kgo.NoCompression,
	"gzip":   kgo.GzipCompression,
	"snappy": kgo.SnappyCompression,
	"lz4":    kgo.Lz4Compression,
	"zstd":   kgo.ZstdCompression,
}

func connect(bootstrap string, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.ClientID("compat-franz-go"),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
	}, options...)...)
}

// withAdmin runs something with an admin client that is closed behind it.
func withAdmin(ctx context.Context, bootstrap string, run func(context.Context, *kadm.Client) (any, error)) (any, error) {
	client, err := connect(bootstrap)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return run(ctx, kadm.NewClient(client))
}

type createTopic struct {
	address
	Topic      string             `json:"topic"`
	Partitions int32              `json:"partitions"`
	Configs    map[string]*string `json:"configs"`
}

func runCreateTopic(ctx context.Context, args createTopic) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		created, err := admin.CreateTopic(ctx, args.Partitions, 1, args.Configs, args.Topic)
		if err != nil {
			return nil, err
		}
		return map[string]any{"topic_id": created.ID.String(), "partitions": created.NumPartitions}, nil
	})
}

var producers drive.Table[*kgo.Client]

type openProducer struct {
	address
	Handle      int64  `json:"handle"`
	Compression string `json:"compression"`
	Idempotent  bool   `json:"idempotent"`
}

func runOpenProducer(_ context.Context, args openProducer) (any, error) {
	codec, known := codecs[args.Compression]
	if !known {
		return nil, fmt.Errorf("no codec is called %q", args.Compression)
	}
	options := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(5 * time.Millisecond),
	}
	if !args.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := connect(args.Bootstrap, options...)
	if err == nil {
		producers.Put(args.Handle, client)
	}
	return nil, err
}

type sendRecord struct {
	Handle int64        `json:"handle"`
	Topic  string       `json:"topic"`
	Record drive.Record `json:"record"`
}

// beginSend queues a record; the reply is its offset, once the broker has acknowledged it.
func beginSend(ctx context.Context, args sendRecord, reply drive.Reply) {
	client, err := producers.Get(args.Handle)
	if err != nil {
		reply(nil, err)
		return
	}
	record := &kgo.Record{
		Topic:     args.Topic,
		Partition: args.Record.Partition,
		Key:       args.Record.Key,
		Value:     args.Record.Value,
		Timestamp: time.UnixMilli(args.Record.TimestampMs),
	}
	for _, header := range args.Record.Headers {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
	}
	client.Produce(ctx, record, func(done *kgo.Record, err error) { reply(done.Offset, err) })
}

type handle struct {
	Handle int64 `json:"handle"`
}

func runCloseProducer(_ context.Context, args handle) (any, error) {
	client, err := producers.Take(args.Handle)
	if err == nil {
		client.Close()
	}
	return nil, err
}

func main() {
	drive.Serve(map[string]drive.Operation{
		"create_topic":        drive.Apart(runCreateTopic),
		"producer.open":       drive.Ordered(func(ctx context.Context, args openProducer, reply drive.Reply) { reply(runOpenProducer(ctx, args)) }),
		"producer.send":       drive.Ordered(beginSend),
		"producer.close":      drive.Apart(runCloseProducer),
		"consumer.open":       drive.Ordered(beginOpenConsumer),
		"consumer.assign":     drive.Apart(runAssign),
		"consumer.subscribe":  drive.Apart(runSubscribe),
		"consumer.poll":       drive.Apart(runPoll),
		"consumer.assignment": drive.Apart(runAssignment),
		"consumer.commit":     drive.Apart(runCommit),
		"consumer.committed":  drive.Apart(runCommitted),
		"consumer.close":      drive.Apart(runCloseConsumer),
		"admin.topics":        drive.Apart(runTopics),
		"admin.configs":       drive.Apart(runConfigs),
		"admin.alter_configs": drive.Apart(runAlterConfigs),
		"admin.partitions":    drive.Apart(runPartitions),
		"admin.groups":        drive.Apart(runGroups),
		"admin.offsets":       drive.Apart(runOffsets),
		"admin.delete":        drive.Apart(runDelete),
		"admin.cluster":       drive.Apart(runCluster),
	})
}

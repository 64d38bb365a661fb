// sarama drives IBM/sarama for the compat tests; see ../drive.
//
// No retries of our own: what the library does by itself is what is tested.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/IBM/sarama"
	"klamm/compat/drive"
)

// address is where an operation finds the broker, and which Kafka version sarama shall speak to it.
type address struct {
	Bootstrap string `json:"bootstrap"`
	Version   string `json:"version"`
}

func (a address) brokers() []string { return []string{a.Bootstrap} }

// configure gives the settings that every client has. Its retries outlast a restart of the broker.
func (a address) configure() (*sarama.Config, error) {
	config := sarama.NewConfig()
	config.ClientID = "compat-sarama"
	version, err := sarama.ParseKafkaVersion(a.Version)
	if err != nil {
		return nil, err
	}
	config.Version = version
	config.ChannelBufferSize = 1024
	config.Metadata.Retry.Max = 400
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	return config, nil
}

func withAdmin(args address, run func(sarama.ClusterAdmin) (any, error)) (any, error) {
	config, err := args.configure()
	if err != nil {
		return nil, err
	}
	admin, err := sarama.NewClusterAdmin(args.brokers(), config)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	return run(admin)
}

type createTopic struct {
	address
	Topic      string `json:"topic"`
	Partitions int32  `json:"partitions"`
}

func runCreateTopic(_ context.Context, args createTopic) (any, error) {
	return withAdmin(args.address, func(admin sarama.ClusterAdmin) (any, error) {
		detail := &sarama.TopicDetail{NumPartitions: args.Partitions, ReplicationFactor: 1}
		return nil, admin.CreateTopic(args.Topic, detail, false)
	})
}

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

// producer replies to each record's request when sarama reports it; its goroutines end when sarama has closed.
type producer struct {
	client sarama.AsyncProducer
	ended  chan struct{}
}

var producers drive.Table[*producer]

type openProducer struct {
	address
	Handle      int64  `json:"handle"`
	Compression string `json:"compression"`
	Idempotent  bool   `json:"idempotent"`
}

func beginOpenProducer(_ context.Context, args openProducer, reply drive.Reply) {
	config, err := args.configure()
	codec, known := codecs[args.Compression]
	if err == nil && !known {
		err = fmt.Errorf("no codec is called %q", args.Compression)
	}
	if err != nil {
		reply(nil, err)
		return
	}
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = args.Idempotent
	config.Producer.Compression = codec
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	config.Producer.Flush.Frequency = 5 * time.Millisecond
	config.Producer.Retry.Max = 400
	config.Producer.Retry.Backoff = 100 * time.Millisecond
	config.Net.MaxOpenRequests = 1
	client, err := sarama.NewAsyncProducer(args.brokers(), config)
	if err != nil {
		reply(nil, err)
		return
	}
	opened := &producer{client: client, ended: make(chan struct{})}
	go opened.report()
	producers.Put(args.Handle, opened)
	reply(nil, nil)
}

func (p *producer) report() {
	defer close(p.ended)
	successes, failures := p.client.Successes(), p.client.Errors()
	for successes != nil || failures != nil {
		select {
		case message, open := <-successes:
			if !open {
				successes = nil
				continue
			}
			message.Metadata.(drive.Reply)(message.Offset, nil)
		case failed, open := <-failures:
			if !open {
				failures = nil
				continue
			}
			failed.Msg.Metadata.(drive.Reply)(nil, failed.Err)
		}
	}
}

type sendRecord struct {
	Handle int64        `json:"handle"`
	Topic  string       `json:"topic"`
	Record drive.Record `json:"record"`
}

// beginSend queues a record; the reply is its offset, once the broker has acknowledged it.
func beginSend(_ context.Context, args sendRecord, reply drive.Reply) {
	found, err := producers.Get(args.Handle)
	if err != nil {
		reply(nil, err)
		return
	}
	message := &sarama.ProducerMessage{
		Topic:     args.Topic,
		Partition: args.Record.Partition,
		Timestamp: time.UnixMilli(args.Record.TimestampMs),
		Metadata:  reply,
	}
	if args.Record.Key != nil {
		message.Key = sarama.ByteEncoder(args.Record.Key)
	}
	if args.Record.Value != nil {
		message.Value = sarama.ByteEncoder(args.Record.Value)
	}
	for _, header := range args.Record.Headers {
		message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
	}
	found.client.Input() <- message
}

type handle struct {
	Handle int64 `json:"handle"`
}

func runCloseProducer(_ context.Context, args handle) (any, error) {
	found, err := producers.Take(args.Handle)
	if err == nil {
		found.client.AsyncClose()
		<-found.ended
	}
	return nil, err
}

func main() {
	sarama.Logger = log.New(os.Stderr, "", log.Lmicroseconds)
	drive.Serve(map[string]drive.Operation{
		"create_topic":        drive.Apart(runCreateTopic),
		"producer.open":       drive.Ordered(beginOpenProducer),
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
	})
}

// loadgen loads a Kafka broker over plain sockets with requests that are encoded by hand, and prints one JSON object.
//
// It knows one broker, which leads every partition. Batches are built once and sent again and again, so that the
// generator costs little of a machine that it shares with the broker. Any error response ends it with status 1.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

type options struct {
	bootstrap         string
	topic             string
	topics            int
	partitions        int
	create            bool
	conns             int
	inFlight          int
	acks              int
	batchBytes        int
	recordBytes       int
	maxBytes          int
	partitionMaxBytes int
	check             bool
	rate              float64
	total             int
	keep              bool
	histogram         bool
	warmup            time.Duration
	duration          time.Duration
	afterwards        func() // what a mode does when its report is out
}

var modes = map[string]func(*options) (map[string]any, error){
	"produce":     runProduce,
	"fetch":       runFetch,
	"rate":        runRate,
	"e2e":         runE2E,
	"apiversions": runAPIVersions,
	"metadata":    runMetadata,
	"conns":       runConns,
	"rebalance":   runRebalance,
	"create":      func(*options) (map[string]any, error) { return map[string]any{}, nil },
}

const usage = `usage: loadgen MODE [options]

  create       create -topics topics of -partitions partitions, and wait for their leaders
  produce      send batches, -in-flight requests on each of -conns connections
  fetch        read the topic from offset 0 again and again
  rate         send one batch a request at -rate requests a second, whatever the answers
  e2e          rate, with a consumer waiting on partition 0: latency from due time to arrival
  apiversions  ask for ApiVersions
  metadata     ask for Metadata of -topics topics, or of all if -topic is empty
  conns        open connections and ask each for ApiVersions
  rebalance    a group of -conns members, whose subscriptions change all at once, again and again

options:
`

func parse(arguments []string) (string, *options) {
	o := &options{}
	set := flag.NewFlagSet("loadgen", flag.ExitOnError)
	set.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		set.PrintDefaults()
	}
	set.StringVar(&o.bootstrap, "bootstrap", "127.0.0.1:9092", "`address` of the broker")
	set.StringVar(&o.topic, "topic", "", "topic, or with -topics above 1 the first part of names NAME-0, NAME-1, …")
	set.IntVar(&o.topics, "topics", 1, "create, metadata: number of topics")
	set.IntVar(&o.partitions, "partitions", 1, "partitions that are used, from 0 on")
	set.BoolVar(&o.create, "create", false, "create the topic first if it is missing")
	set.IntVar(&o.conns, "conns", 1, "connections; in conns mode how many are opened at the same time")
	set.IntVar(&o.inFlight, "in-flight", 1, "produce, apiversions, metadata: requests under way on each connection")
	set.IntVar(&o.acks, "acks", -1, "-1 (all), 1 or 0")
	set.IntVar(&o.batchBytes, "batch-bytes", 0, "size of a batch; 0: one record")
	set.IntVar(&o.recordBytes, "record-bytes", 100, "size of a record's value")
	set.IntVar(&o.maxBytes, "max-bytes", 50<<20, "fetch: most bytes of a response")
	set.IntVar(&o.partitionMaxBytes, "partition-max-bytes", 1<<20, "fetch: most bytes of a partition in a response")
	set.BoolVar(&o.check, "check", false, "fetch: check the checksum of every batch")
	set.Float64Var(&o.rate, "rate", 500, "rate, e2e: requests a second")
	set.IntVar(&o.total, "total", 0, "conns: number of connections; 0: for -seconds")
	set.BoolVar(&o.keep, "keep", false, "conns: keep the connections after the report, until standard input ends")
	set.BoolVar(&o.histogram, "histogram", false, "add the histogram, [microseconds, count] pairs")
	set.DurationVar(&o.warmup, "warmup", 0, "time before anything counts")
	set.DurationVar(&o.duration, "time", 5*time.Second, "time that counts")
	if len(arguments) == 0 || strings.HasPrefix(arguments[0], "-") {
		set.Usage()
		os.Exit(2)
	}
	_ = set.Parse(arguments[1:])
	if o.conns < 1 || o.inFlight < 1 || o.partitions < 1 || o.topics < 1 || o.rate <= 0 || o.duration <= 0 || set.NArg() > 0 {
		set.Usage()
		os.Exit(2)
	}
	return arguments[0], o
}

func withHistogram(o *options, result map[string]any, l *latencies) map[string]any {
	if o.histogram {
		result["histogram_us"] = l.histogram()
	}
	return result
}

func run(mode string, o *options) error {
	start, known := modes[mode]
	if !known {
		return fmt.Errorf("no mode is called %q", mode)
	}
	if mode == "create" || o.create {
		if o.topic == "" {
			return fmt.Errorf("%s needs a -topic", mode)
		}
		c, err := dial(o.bootstrap)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := createTopics(c, names(o.topic, o.topics), o.partitions); err != nil {
			return err
		}
	}
	result, err := start(o)
	if err != nil {
		return err
	}
	result["mode"] = mode
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) == nil {
		result["generator_cpu_s"] = float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		return err
	}
	if o.afterwards != nil {
		o.afterwards()
	}
	return nil
}

func main() {
	mode, o := parse(os.Args[1:])
	if err := run(mode, o); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

// Scorer reads subscribers from a Kafka topic and writes how likely each one is to leave.
//
// What it cannot process goes to another topic as it came, with the reason in its headers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type options struct {
	brokers, in, out, rejected, group, listen string
	session, heartbeat                        time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.brokers, "brokers", "", "host:port of brokers, comma-separated")
	flag.StringVar(&o.in, "in", "subscribers", "topic to read")
	flag.StringVar(&o.out, "out", "scores", "topic for scores")
	flag.StringVar(&o.rejected, "rejected", "subscribers.rejected", "topic for what cannot be processed")
	flag.StringVar(&o.group, "group", "scorer", "consumer group")
	flag.StringVar(&o.listen, "listen", "", "address that answers 200 on /ready once the group is joined")
	flag.DurationVar(&o.session, "session-timeout", 45*time.Second, "of the consumer group")
	flag.DurationVar(&o.heartbeat, "heartbeat", 3*time.Second, "of the consumer group")
	flag.Parse()
	if o.brokers == "" {
		fmt.Fprintln(os.Stderr, "scorer: --brokers is missing")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "scorer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var ready atomic.Bool
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(o.brokers, ",")...),
		kgo.ConsumeTopics(o.in),
		kgo.ConsumerGroup(o.group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(o.session),
		kgo.HeartbeatInterval(o.heartbeat),
		kgo.DisableAutoCommit(),
		// Nobody takes a partition over between the delivery of a batch and its commit.
		kgo.BlockRebalanceOnPoll(),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ProducerLinger(0),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			ready.Store(true)
		}),
	)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	if o.listen != "" {
		if err := serve(o.listen, &ready); err != nil {
			return err
		}
	}
	worker := &worker{options: o, client: client}
	for ctx.Err() == nil {
		if err := worker.once(ctx); err != nil {
			return err
		}
	}
	return nil
}

func serve(address string, ready *atomic.Bool) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	go http.Serve(listener, mux)
	return nil
}

type worker struct {
	options
	client *kgo.Client
}

// once takes one batch, delivers what comes of it, and then commits it.
func (w *worker) once(ctx context.Context) error {
	poll, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	fetches := w.client.PollRecords(poll, 500)
	cancel()
	defer w.client.AllowRebalance()
	for _, failed := range fetches.Errors() {
		if !errors.Is(failed.Err, context.DeadlineExceeded) && !errors.Is(failed.Err, context.Canceled) &&
			!removed(failed.Err) {
			return fmt.Errorf("%s: %w", failed.Topic, failed.Err)
		}
	}
	var results []*kgo.Record
	fetches.EachRecord(func(r *kgo.Record) { results = append(results, w.process(r)...) })
	results = hold(results)
	// What was begun is finished, though the program was told to end.
	whole := context.WithoutCancel(ctx)
	if len(results) > 0 {
		if err := w.client.ProduceSync(whole, results...).FirstErr(); err != nil {
			return fmt.Errorf("not delivered: %w", err)
		}
	}
	if fetches.NumRecords() == 0 {
		return nil
	}
	if err := w.client.CommitUncommittedOffsets(whole); err != nil && !removed(err) {
		return err
	}
	return nil
}

// removed tells whether the group has removed this member, e.g. after a long pause: the client
// joins again, and what is not committed comes again, to whoever has its partition then.
func removed(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress)
}

func (w *worker) process(r *kgo.Record) []*kgo.Record {
	score, problem := evaluate(r)
	if problem == nil {
		return scored(&kgo.Record{Topic: w.out, Key: r.Key, Value: score})
	}
	header := func(name, value string) kgo.RecordHeader {
		return kgo.RecordHeader{Key: name, Value: []byte(value)}
	}
	return rejected(&kgo.Record{Topic: w.rejected, Key: r.Key, Value: r.Value, Headers: append(
		append([]kgo.RecordHeader{}, r.Headers...),
		header("dlq-error", problem.code),
		header("dlq-detail", problem.detail),
		header("dlq-topic", r.Topic),
		header("dlq-partition", strconv.Itoa(int(r.Partition))),
		header("dlq-offset", strconv.FormatInt(r.Offset, 10)),
		header("dlq-time", time.Now().UTC().Format(time.RFC3339Nano)),
	)})
}

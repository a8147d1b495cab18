//go:build faults

package main

import (
	"bytes"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The fault that the environment variable FAULT names is put in: the suite must find it.
var fault = os.Getenv("FAULT")

var (
	count int
	held  []*kgo.Record
)

func scored(r *kgo.Record) []*kgo.Record {
	count++
	switch {
	case fault == "loses_one_in_fifty" && count%50 == 0:
		return nil
	case fault == "duplicates" && count%10 == 0:
		return []*kgo.Record{r, {Topic: r.Topic, Key: r.Key, Value: r.Value}}
	case fault == "wrong_carried" && count%20 == 0:
		r.Value = bytes.Replace(r.Value, []byte(`"measured_at":"2026`), []byte(`"measured_at":"2025`), 1)
	case fault == "third_risk" && count%10 == 0:
		r.Value = bytes.Replace(r.Value, []byte(`"risk":"LOW"`), []byte(`"risk":"MEDIUM"`), 1)
		r.Value = bytes.Replace(r.Value, []byte(`"risk":"HIGH"`), []byte(`"risk":"MEDIUM"`), 1)
	case fault == "forgets_key" && count%10 == 0:
		r.Key = nil
	}
	return []*kgo.Record{r}
}

func rejected(r *kgo.Record) []*kgo.Record {
	header := func(name string) *kgo.RecordHeader {
		for i := range r.Headers {
			if r.Headers[i].Key == name {
				return &r.Headers[i]
			}
		}
		panic("no header " + name)
	}
	switch fault {
	case "drops_dead_letters":
		return nil
	case "wrong_error_type":
		if string(header("dlq-error").Value) == "E_MISSING" {
			header("dlq-error").Value = []byte("E_UNKNOWN")
		}
	case "tidies_originals":
		r.Value = bytes.TrimSpace(bytes.ReplaceAll(r.Value, []byte(`, "`), []byte(`,"`)))
	case "wrong_source":
		header("dlq-topic").Value = []byte("subscribers")
	case "drops_headers":
		r.Headers = r.Headers[len(r.Headers)-6:]
	}
	return []*kgo.Record{r}
}

// hold keeps a batch back until the next one, though its offsets are committed now.
func hold(results []*kgo.Record) []*kgo.Record {
	if fault != "commits_early" {
		return results
	}
	before := held
	held = results
	return before
}

//go:build !faults

package main

import "github.com/twmb/franz-go/pkg/kgo"

// Faults are put in by another build (-tags faults); here, everything goes its way.

func scored(r *kgo.Record) []*kgo.Record { return []*kgo.Record{r} }

func rejected(r *kgo.Record) []*kgo.Record { return []*kgo.Record{r} }

func hold(results []*kgo.Record) []*kgo.Record { return results }

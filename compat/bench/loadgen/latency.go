package main

import (
	"math/bits"
	"time"
)

// Buckets of the histogram: 64 to each power of two of nanoseconds, so a bucket is at most 1.6 % wide.
const (
	subBits = 6
	buckets = (64 - subBits) << subBits
)

// latencies is a histogram of durations.
type latencies struct {
	counts [buckets]int64
	count  int64
	sum    time.Duration
	max    time.Duration
}

func (l *latencies) add(d time.Duration) {
	d = max(d, 0)
	l.counts[bucketOf(uint64(d))]++
	l.count++
	l.sum += d
	l.max = max(l.max, d)
}

func bucketOf(ns uint64) int {
	if ns < 1<<subBits {
		return int(ns)
	}
	shift := bits.Len64(ns) - subBits - 1
	return shift<<subBits + int(ns>>shift)
}

// middle is a duration in the middle of a bucket.
func middle(bucket int) time.Duration {
	if bucket < 1<<subBits {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	low := uint64(bucket-shift<<subBits) << shift
	return time.Duration(low + uint64(1)<<shift/2)
}

func (l *latencies) merge(other *latencies) {
	for i, n := range other.counts {
		l.counts[i] += n
	}
	l.count += other.count
	l.sum += other.sum
	l.max = max(l.max, other.max)
}

func (l *latencies) quantile(q float64) time.Duration {
	rank, seen := int64(q*float64(l.count-1)), int64(0)
	for bucket, n := range l.counts {
		if seen += n; seen > rank {
			return min(middle(bucket), l.max)
		}
	}
	return l.max
}

// report gives microseconds.
func (l *latencies) report() map[string]any {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	result := map[string]any{"count": l.count}
	if l.count > 0 {
		result["mean"] = us(l.sum / time.Duration(l.count))
		result["p50"] = us(l.quantile(0.5))
		result["p90"] = us(l.quantile(0.9))
		result["p99"] = us(l.quantile(0.99))
		result["p999"] = us(l.quantile(0.999))
		result["max"] = us(l.max)
	}
	return result
}

// histogram gives [microseconds, count] of each bucket that is not empty.
func (l *latencies) histogram() [][2]float64 {
	pairs := [][2]float64{}
	for bucket, n := range l.counts {
		if n > 0 {
			pairs = append(pairs, [2]float64{float64(middle(bucket).Nanoseconds()) / 1000, float64(n)})
		}
	}
	return pairs
}

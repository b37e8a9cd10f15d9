package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// result is one measured value.
type result struct {
	// Key names it for ever, for comparisons.
	Key   string  `json:"key"`
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Target is what is to be reached; 0 means that there is none. AtLeast tells that more is
	// better.
	Target  float64 `json:"target,omitempty"`
	AtLeast bool    `json:"at_least,omitempty"`
}

func (r result) met() bool {
	return r.AtLeast && r.Value >= r.Target || !r.AtLeast && r.Value <= r.Target
}

// report gathers results.
type report struct {
	When    time.Time `json:"when"`
	Go      string    `json:"go"`
	CPUs    int       `json:"cpus"`
	CPU     string    `json:"cpu,omitempty"`
	Results []result  `json:"results"`
}

func newReport() *report {
	r := &report{When: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), CPUs: runtime.NumCPU()}
	raw, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return r // not on this system; the report does without
	}
	for line := range strings.Lines(string(raw)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			r.CPU = strings.TrimSpace(v)
			break
		}
	}
	return r
}

func (r *report) add(x result) { r.Results = append(r.Results, x) }

// print prints the table.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %d CPUs %s, %s; the load is made on the same CPUs\n\n", r.When.Format(time.DateOnly), r.CPUs, r.CPU, r.Go)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\t\ttarget\t")
	for _, x := range r.Results {
		target, verdict := "", ""
		if x.Target != 0 {
			target, verdict = "at most "+number(x.Target), "reached"
			if x.AtLeast {
				target = "at least " + number(x.Target)
			}
			if !x.met() {
				verdict = "MISSED"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", x.What, number(x.Value), x.Unit, target, verdict)
	}
	t.Flush()
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r *report) write(path string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// percentile is the value below which p of 100 lie. It sorts the list.
func percentile(l []time.Duration, p float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(len(l)-1, int(float64(len(l))*p/100))]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

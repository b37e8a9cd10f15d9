package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/landbridge-im/landbridge/integration/exports"
)

// importRate is how many messages a second the migration is to bring in.
const importRate = 10_000

// importing measures how a large export is brought in by the command, beside people who talk.
func importing(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "export")
	size := exports.Size{Messages: b.imported, People: max(20, b.imported/200), Channels: max(2, b.imported/2000)}
	if err := exports.Slack(dir, size); err != nil {
		return fmt.Errorf("making the export: %w", err)
	}
	all, err := b.people(ctx, "talker", 4, false)
	if err != nil {
		return err
	}
	if err := b.resetPeak(); err != nil {
		return err
	}
	stop := b.profile(ctx, "import", b.PID())
	defer stop()
	talk, end := context.WithCancel(ctx)
	defer end()
	var sends, syncs []time.Duration
	var talkErr error
	var wg sync.WaitGroup
	wg.Go(func() { sends, syncs, talkErr = b.talkOn(talk, all) })
	cmd := exec.CommandContext(ctx, b.binary, "migrate", "run", dir, "-json", "-no-files", "-c", b.Config())
	cmd.Stderr = os.Stderr
	cpu, err := b.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	out, err := cmd.Output()
	took := time.Since(began)
	end()
	wg.Wait()
	if err != nil {
		return fmt.Errorf("landbridge migrate run: %w", err)
	}
	if talkErr != nil {
		return talkErr
	}
	var s struct {
		Messages, Fresh int
		Problems        []any
	}
	if err := json.Unmarshal(out, &s); err != nil {
		return fmt.Errorf("reading the summary %q: %w", strings.TrimSpace(string(out)), err)
	}
	if s.Messages != b.imported || len(s.Problems) > 0 {
		return fmt.Errorf("%d of %d messages are there, with %d problems", s.Messages, b.imported, len(s.Problems))
	}
	b.report.add(result{Key: "import_per_s", What: fmt.Sprintf("import of %d messages, %d people, %d channels (%d events)", b.imported, size.People, size.Channels, s.Fresh),
		Value: float64(s.Messages) / took.Seconds(), Unit: "/s", Target: importRate, AtLeast: true})
	b.report.add(result{Key: "import_send_p99_ms", What: fmt.Sprintf("meanwhile: send of others, p99 of %d", len(sends)), Value: ms(percentile(sends, 99)), Unit: "ms", Target: 100})
	b.report.add(result{Key: "import_sync_p99_ms", What: fmt.Sprintf("meanwhile: /sync of others, p99 of %d", len(syncs)), Value: ms(percentile(syncs, 99)), Unit: "ms", Target: 100})
	after, err := b.cpu()
	if err != nil {
		return err
	}
	b.report.add(result{Key: "import_server_cpu_us", What: "CPU of the server, with its search index and those who talk meanwhile", Value: float64((after - cpu).Microseconds()) / float64(s.Messages), Unit: "us a message"})
	b.report.add(result{Key: "import_command_cpu_us", What: "CPU of the command", Value: float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / float64(s.Messages), Unit: "us a message"})
	peak, err := b.peak()
	if err != nil {
		return err
	}
	b.report.add(result{Key: "import_server_mb", What: "most memory of the server (RSS)", Value: peak / 1e6, Unit: "MB", Target: 500})
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		b.report.add(result{Key: "import_command_mb", What: "most memory of the command (RSS)", Value: float64(u.Maxrss) * 1024 / 1e6, Unit: "MB", Target: 500})
	}
	return nil
}

// talkPause is how long those who talk meanwhile wait between two messages.
const talkPause = 25 * time.Millisecond

// talkOn has people send and sync until ctx ends.
func (b *bench) talkOn(ctx context.Context, all []member) (sends, syncs []time.Duration, failed error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, m := range all {
		wg.Go(func() {
			a, s, err := b.talker(ctx, m, i)
			mu.Lock()
			defer mu.Unlock()
			sends, syncs = append(sends, a...), append(syncs, s...)
			if err != nil && ctx.Err() == nil {
				failed = err
			}
		})
	}
	wg.Wait()
	return sends, syncs, failed
}

func (b *bench) talker(ctx context.Context, m member, i int) (sends, syncs []time.Duration, err error) {
	w, err := dial(ctx, b.URL())
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	since := ""
	for n := 0; ; n++ {
		at := time.Now()
		if err := w.must("PUT", fmt.Sprintf("%simport.%d.%d", m.target, i, n), m.Token, message); err != nil {
			return sends, syncs, err
		}
		sent := time.Now()
		if err := w.must("GET", "/_matrix/client/v3/sync?timeout=0&since="+url.QueryEscape(since), m.Token, ""); err != nil {
			return sends, syncs, err
		}
		if since != "" { // the first one is of everything
			sends, syncs = append(sends, sent.Sub(at)), append(syncs, time.Since(sent))
		}
		if since, err = nextBatch(w.body); err != nil {
			return sends, syncs, err
		}
		select {
		case <-time.After(talkPause):
		case <-ctx.Done():
			return sends, syncs, nil
		}
	}
}

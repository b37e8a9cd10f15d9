package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// crashEnv holds, in the child process of TestCrash, the database to write to.
const crashEnv = "LANDBRIDGE_STORE_CRASH_TEST"

const crashWriters = 16

// crashing is the child: it writes, and tells of each write that was acknowledged, until it is
// killed. It reports whether this process is that child.
func crashing() bool {
	uri := os.Getenv(crashEnv)
	if uri == "" {
		return false
	}
	if err := crash(uri); err != nil {
		fmt.Println("error:", err)
	}
	return true
}

func crash(uri string) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{URI: uri, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	old, err := s.Entries(ctx, 0, 1<<30)
	if err != nil {
		return err
	}
	next := map[int64]int64{}
	for _, e := range old {
		next[e.User] = e.Ref + 1
	}
	var wg sync.WaitGroup
	errs := make([]error, crashWriters)
	for w := range int64(crashWriters) {
		wg.Go(func() {
			for i := next[w]; ; i++ {
				err := s.Write(ctx, func(tx *Tx) error {
					if _, err := tx.Log(Entry{Kind: KindProfile, User: w, Ref: i}); err != nil {
						return err
					}
					return tx.SetMeta(fmt.Sprintf("%d/%d", w, i), strings.Repeat("x", 500))
				})
				if err != nil {
					errs[w] = err
					return
				}
				fmt.Printf("%d %d\n", w, i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// TestCrash kills a process in the midst of its writes, again and again: all that was
// acknowledged must be there, once and in order, whole, and the database sound.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, uri := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, acknowledged := uri(t), make([]int64, crashWriters) // how many of each writer
			for round := range 5 {
				runAndKill(t, uri, 200+round*37, acknowledged)
				checkAfterCrash(t, uri, acknowledged)
			}
		})
	}
}

// runAndKill runs the child until it has told of enough writes.
func runAndKill(t *testing.T, uri string, enough int, acknowledged []int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+uri)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	// All that it has told is read, also what was in the pipe when it died.
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var w, i int64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &i); err != nil || i < acknowledged[w] {
			// The last line may be torn.
			if told < enough {
				t.Errorf("the child said %q", lines.Text())
			}
			continue
		}
		acknowledged[w] = i + 1
		if told++; told == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	if told < enough {
		t.Fatalf("the child told of %d writes only", told)
	}
}

func checkAfterCrash(t *testing.T, uri string, acknowledged []int64) {
	t.Helper()
	s, err := Open(t.Context(), Options{URI: uri, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	entries, err := s.Entries(t.Context(), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]int64, crashWriters)
	for i, e := range entries {
		if e.Pos != int64(i+1) || e.Ref != found[e.User] {
			t.Fatalf("entry %d has position %d and is write %d of writer %d, whose %d was expected", i, e.Pos, e.Ref, e.User, found[e.User])
		}
		found[e.User]++
		if _, err := s.Meta(t.Context(), fmt.Sprintf("%d/%d", e.User, e.Ref)); err != nil {
			t.Errorf("half of write %d of writer %d is missing: %v", e.Ref, e.User, err)
		}
	}
	for w, n := range acknowledged {
		if found[w] < n {
			t.Errorf("writer %d: %d writes were acknowledged, %d are there", w, n, found[w])
		}
	}
	// What was there but not yet told of counts from now on.
	copy(acknowledged, found)
	if s.loc.name == "sqlite" {
		var result []string
		rows, err := s.read.QueryContext(t.Context(), "PRAGMA integrity_check")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			result = append(result, line)
		}
		if !slices.Equal(result, []string{"ok"}) {
			t.Errorf("integrity_check: %v", result)
		}
	}
}

package discordfetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// maxFile bounds a file; the largest that Discord takes have 500 MB.
	maxFile = 1 << 30
	// parallel is how many files are fetched at once.
	parallel = 8
	// fetchTries is how often a file is asked for, and maxPause how long Discord's word is taken for when to ask again.
	fetchTries = 4
	maxPause   = time.Minute
	// maxFailed bounds what is remembered of files that can't be had.
	maxFailed = 100_000
)

// getter says where a file of the export is, by the name that it has there and its address at Discord; where names who has it.
type getter func(name, address, where string) string

// wanted are files that are to be fetched.
type wanted struct {
	list []want
	seen map[string]bool
}

type want struct{ name, address, where string }

// note is a getter that only remembers.
func (w *wanted) note(name, address, where string) string {
	if address != "" && !w.seen[name] {
		if w.seen == nil {
			w.seen = map[string]bool{}
		}
		w.seen[name] = true
		w.list = append(w.list, want{name, address, where})
	}
	return address
}

// files fetches files into the export, each once.
type files struct {
	f *fetcher
	// failed are those that could not be had; f.mu guards it.
	failed map[string]bool
}

// place is a getter of what has been fetched: its name in the export, or its address if it is not there.
func (x *files) place(name, address, _ string) string {
	if address == "" || x.f.o.NoMedia {
		return address
	}
	if _, err := os.Stat(x.path(name)); err != nil {
		return address
	}
	return name
}

func (x *files) path(name string) string { return filepath.Join(x.f.o.Dir, filepath.FromSlash(name)) }

// fetchAll fetches files, side by side. Those that can't be had are problems.
func (x *files) fetchAll(ctx context.Context, w *wanted) {
	if x.f.o.NoMedia {
		return
	}
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, one := range w.list {
		if ctx.Err() != nil {
			break
		}
		if _, err := os.Stat(x.path(one.name)); err == nil || x.hasFailed(one.name) {
			continue
		}
		g.Go(func() error {
			n, err := x.fetch(ctx, one)
			switch {
			case err == nil:
				x.f.at(func(*Progress) { x.f.report.Files, x.f.report.Bytes = x.f.report.Files+1, x.f.report.Bytes+n })
			case ctx.Err() == nil:
				x.fail(one.name)
				x.f.problem("%s: %s could not be fetched: %v", one.where, filepath.Base(one.name), err)
			}
			return nil
		})
	}
	_ = g.Wait() // each says its own problem
}

func (x *files) hasFailed(name string) bool {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	return x.failed[name]
}

func (x *files) fail(name string) {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	if x.failed == nil || len(x.failed) >= maxFailed {
		x.failed = map[string]bool{}
	}
	x.failed[name] = true
}

// fetch fetches one file, and tries again what may be better later.
func (x *files) fetch(ctx context.Context, w want) (int64, error) {
	target, err := x.f.allowed(w.address)
	if err != nil {
		return 0, err
	}
	for try := 1; ; try++ {
		n, pause, err := x.download(ctx, x.path(w.name), target)
		if err == nil || pause == 0 || try == fetchTries {
			return n, err
		}
		select {
		case <-time.After(max(pause, time.Duration(try)*time.Second)):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// download fetches a file. pause, if not 0, is how long at least to wait before it is tried again.
func (x *files) download(ctx context.Context, path, target string) (n int64, pause time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, 0, errors.New("its address is none")
	}
	res, err := x.f.o.HTTP.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the address, which has a signature in it
		}
		return 0, 1, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		if res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500 {
			seconds, _ := strconv.ParseFloat(res.Header.Get("Retry-After"), 64) // 0 if it does not say
			pause = max(1, min(maxPause, time.Duration(seconds*float64(time.Second))))
		}
		return 0, pause, fmt.Errorf("the answer is %s", res.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, 0, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), tempFiles)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	n, err = io.Copy(tmp, http.MaxBytesReader(nil, res.Body, maxFile))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		pause = 1 // the network; a disk that is full fails again
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return n, pause, err
	}
	return n, 0, os.Rename(tmp.Name(), path)
}

// hosts are where Discord keeps files.
var hosts = map[string]bool{"cdn.discordapp.com": true, "media.discordapp.net": true}

// allowed gives the address to fetch from, with the configured host for Discord's; files of elsewhere are not fetched.
func (f *fetcher) allowed(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", errors.New("its address is none")
	}
	if base, err := url.Parse(f.o.CDN); err == nil && u.Scheme == base.Scheme && u.Host == base.Host {
		return address, nil
	}
	if u.Scheme != "https" || !hosts[u.Host] {
		return "", errors.New("it is not at Discord")
	}
	if u.Host == "cdn.discordapp.com" {
		return f.o.CDN + u.RequestURI(), nil
	}
	return address, nil
}

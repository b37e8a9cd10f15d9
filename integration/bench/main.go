// Command bench measures the real landbridge binary from outside, over HTTP on the loopback
// interface, and prints a table. The load is made on the same machine and is part of what is
// measured, so it is made cheaply.
//
// With -binary it measures another build, for example one of an older commit. Each group of
// measurements runs on a server of its own; see groups for where to add one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"

	"github.com/landbridge-im/landbridge/integration/ca"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// group is a set of measurements that share a server.
type group struct {
	name string
	// registrations are application services to write before the server starts, by file name.
	registrations map[string]string
	// config is further configuration: whole top-level keys in YAML.
	config string
	// federated means that there are other servers, simulated ones.
	federated bool
	run       func(context.Context, *bench) error
}

// groups lists what is measured, in the order in which it is shown.
func groups() []group {
	return []group{
		{name: "start", run: start},
		{name: "send", run: sends},
		{name: "sync", run: syncLatency},
		{name: "rooms", run: manyRooms},
		{name: "large", registrations: map[string]string{"crowd.yaml": crowdRegistration}, run: largeRoom},
		{name: "waiting", run: waiting},
		{name: "bridge", run: bridgeLatency},
		{name: "store", run: store},
		{name: "search", registrations: map[string]string{"talk.yaml": searchRegistration}, run: search},
		{name: "import", run: importing},
		{name: "media", config: mediaConfig, run: media},
		{name: "services", run: services},
		{name: "inprocess", run: inProcess},
		{name: "portal", run: portal},
		{name: "push", config: pushConfig, run: pushes},
		{name: "claim", registrations: map[string]string{"crowd.yaml": devicesRegistration}, run: claim},
		{name: "todevice", run: toDevice},
		{name: "crowd", registrations: map[string]string{"crowd.yaml": crowdRegistration}, run: crowd},
		{name: "inbound", federated: true, run: inbound},
		{name: "fanout", federated: true, run: fanOut},
		{name: "hugejoin", federated: true, run: hugeJoin},
		{name: "resolve", run: resolve},
	}
}

// bench is one run of a group.
type bench struct {
	*testserver.Server
	// binary is what is measured, and dir a folder for a further server of the group.
	binary, dir string
	report      *report
	// ca vouches for the other servers of the group.
	ca       *ca.Authority
	duration time.Duration
	events   int
	members  int
	large    int
	searched int
	imported int
	// received is how many events one other server sends, destinations how many servers a message goes to, and joined
	// how many members the room has that is joined.
	received, destinations, joined int
	// profile is called around the heaviest part of a group with a name for it, to let an outside
	// profiler look at the server then.
	profile func(ctx context.Context, name string, pid int) (stop func())
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b := bench{}
	out := flag.String("json", "bench.json", "write the results to this `file` too; empty for none")
	binary := flag.String("binary", "", "measure this `file` instead of a fresh build")
	dir := flag.String("dir", "", "`folder` for the servers' data; it should be on a real disk")
	only := flag.String("only", ".", "run the groups that match this `regexp`: start, send, sync, rooms, large, waiting, bridge, store, search, import, media, services, inprocess, portal, push, claim, todevice, crowd, inbound, fanout, hugejoin, resolve")
	perf := flag.String("perf", "", "record profiles of the server with perf into this `folder`")
	flag.DurationVar(&b.duration, "duration", 5*time.Second, "how long each rate is measured")
	flag.IntVar(&b.events, "events", 100_000, "how many events the store is filled with")
	flag.IntVar(&b.members, "members", 10_000, "how many members the large room has")
	flag.IntVar(&b.large, "large", 50_000, "how many members the very large room has")
	flag.IntVar(&b.searched, "searched", 1_000_000, "how many events are searched")
	flag.IntVar(&b.imported, "imported", 1_000_000, "how many messages the export has that is brought in")
	flag.IntVar(&b.received, "received", 8_000, "how many events one other server sends")
	flag.IntVar(&b.destinations, "destinations", 500, "how many other servers a message goes to")
	flag.IntVar(&b.joined, "joined", 100_000, "how many members the other servers' room has that is joined")
	flag.Parse()
	pick, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	tmp, err := os.MkdirTemp(*dir, "landbridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if *binary == "" {
		*binary = filepath.Join(tmp, "landbridge")
		if err := testserver.Build(ctx, *binary); err != nil {
			return err
		}
	}
	b.report = newReport()
	b.profile = profiler(*perf)
	// What was measured is shown also if something after it fails.
	var failed error
	for _, g := range groups() {
		if !pick.MatchString(g.name) {
			continue
		}
		if failed = b.group(ctx, g, filepath.Join(tmp, g.name), *binary); failed != nil {
			failed = fmt.Errorf("%s: %w", g.name, failed)
			break
		}
	}
	b.report.print(os.Stdout)
	if *out == "" {
		return failed
	}
	return errors.Join(failed, b.report.write(*out))
}

func (b bench) group(ctx context.Context, g group, dir, binary string) (err error) {
	regs := filepath.Join(dir, "registrations")
	if err := os.MkdirAll(regs, 0o700); err != nil {
		return err
	}
	for name, text := range g.registrations {
		if err := os.WriteFile(filepath.Join(regs, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "bench: %s ...\n", g.name)
	b.binary, b.dir = binary, filepath.Join(dir, "more")
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	extra := g.config
	if g.federated {
		if extra, err = b.federationFolder(dir); err != nil {
			return err
		}
	}
	b.Server, err = testserver.Start(ctx, testserver.Options{Binary: binary, Dir: dir, Registrations: []string{regs}, Extra: extra})
	if err != nil {
		return err
	}
	if err := g.run(ctx, &b); err != nil {
		return fmt.Errorf("%w\n%s", err, b.Log()[max(0, len(b.Log())-3000):])
	}
	return b.Stop()
}

package doctor

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/internal/safedial"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// Verdict is how a check came out.
type Verdict string

// Verdicts.
const (
	Good Verdict = "good"
	// Skipped is what does not apply, or could not be looked at.
	Skipped Verdict = "skipped"
	// Doubt works, and will not always.
	Doubt Verdict = "doubt"
	// Bad does not work.
	Bad Verdict = "bad"
)

// Finding is one thing that was looked at.
type Finding struct {
	// Area is what it belongs to: "dns", "tls", "database", "bridge irc".
	Area    sentence.Text `json:"area"`
	Verdict Verdict       `json:"verdict"`
	// Text is what was found.
	Text sentence.Text `json:"text"`
	// Mend says what to do; empty if there is nothing to do.
	Mend sentence.Text `json:"mend,omitzero"`
}

// Bridge is what a running server says of one of its bridges or application services.
type Bridge struct {
	ID string `json:"id"`
	// Up tells whether it runs and its network is reached.
	Up bool `json:"up"`
	// Text is its state, with its last error.
	Text string `json:"text"`
	// Behind is how many entries of the log wait for it.
	Behind int64 `json:"behind"`
}

// Running is what a running server says of itself.
type Running struct {
	Version string   `json:"version"`
	Bridges []Bridge `json:"bridges"`
	// Queue of QueueMax writes wait for the database.
	Queue    int `json:"queue"`
	QueueMax int `json:"queue_max"`
}

// Options say what to look at.
type Options struct {
	Config *config.Config
	// Version is that of this program.
	Version string
	// Roots vouch for certificates beside the system's; nil: only the system's do.
	Roots *x509.CertPool
	// Private are ranges in which other servers, and this one, may be.
	Private []netip.Prefix
	// Resolver looks names up; nil means net.DefaultResolver.
	Resolver Resolver
	// Dial connects; nil means to whatever the resolver says, and to other servers only where they may
	// be.
	Dial discovery.Dialer
	// Ask asks the running server; it gives nil if none runs.
	Ask func(ctx context.Context) (*Running, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Resolver looks names up; *net.Resolver does.
type Resolver interface {
	discovery.Resolver
	LookupHost(ctx context.Context, host string) ([]string, error)
}

var _ Resolver = (*net.Resolver)(nil)

// doctor is one examination.
type doctor struct {
	Options
	client *http.Client
	others discovery.Dialer // connects to other servers
}

// area is a group of checks.
type area struct {
	name string
	look func(d *doctor, ctx context.Context) []Finding
}

// areas are in the order in which they are told.
func areas() []area {
	return []area{
		{"data folder", (*doctor).folder},
		{"disk", (*doctor).disk},
		{"database", (*doctor).database},
		{"signing key", (*doctor).key},
		{"clock", (*doctor).clock},
		{"limits", (*doctor).limits},
		{"ports", (*doctor).ports},
		{"dns", (*doctor).dns},
		{"tls", (*doctor).tls},
		{"public address", (*doctor).public},
		{"well-known", (*doctor).wellKnown},
		{"federation", (*doctor).federation},
		{"sign-up", (*doctor).signUp},
		{"backups", (*doctor).backups},
		{"server", (*doctor).server},
	}
}

// areaTime bounds the checks of one area.
const areaTime = 30 * time.Second

// Examine makes all checks. ctx may end it early; what was not looked at then is skipped.
func Examine(ctx context.Context, o Options) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	d := &doctor{Options: o, others: o.Dial}
	if o.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
		d.others = safedial.Policy{Allow: o.Private}.DialContext
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig, transport.DialContext, transport.Proxy = d.tlsConfig(""), d.Dial, nil
	defer transport.CloseIdleConnections()
	d.client = &http.Client{Transport: transport, Timeout: areaTime / 2}
	list := areas()
	found := make([][]Finding, len(list))
	var wg sync.WaitGroup
	for i, a := range list {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, areaTime)
			defer cancel()
			found[i] = a.look(d, ctx)
			for j := range found[i] {
				if found[i][j].Area.IsZero() {
					found[i][j].Area = sentence.Say(a.name)
				}
			}
		})
	}
	wg.Wait()
	var out []Finding
	for _, f := range found {
		out = append(out, f...)
	}
	return out
}

// Worst is the worst verdict.
func Worst(list []Finding) Verdict {
	order := map[Verdict]int{Good: 0, Skipped: 0, Doubt: 1, Bad: 2}
	worst := Good
	for _, f := range list {
		if order[f.Verdict] > order[worst] {
			worst = f.Verdict
		}
	}
	return worst
}

func good(format string, args ...any) []Finding {
	return []Finding{{Verdict: Good, Text: sentence.Say(format, args...)}}
}

func skipped(format string, args ...any) []Finding {
	return []Finding{{Verdict: Skipped, Text: sentence.Say(format, args...)}}
}

// remedy is what is to be done: a string or a sentence.Text.
type remedy interface{ string | sentence.Text }

func toMend[R remedy](r R) sentence.Text {
	if t, ok := any(r).(sentence.Text); ok {
		return t
	}
	return sentence.Say(any(r).(string))
}

func doubt[R remedy](mend R, format string, args ...any) []Finding {
	return []Finding{{Verdict: Doubt, Text: sentence.Say(format, args...), Mend: toMend(mend)}}
}

func bad[R remedy](mend R, format string, args ...any) []Finding {
	return []Finding{{Verdict: Bad, Text: sentence.Say(format, args...), Mend: toMend(mend)}}
}

// finder finds servers as other servers do.
func (d *doctor) finder() (*discovery.Finder, error) {
	return discovery.New(discovery.Options{Dial: d.others, Resolver: d.Resolver, RootCAs: d.Roots, Log: slog.New(slog.DiscardHandler)})
}

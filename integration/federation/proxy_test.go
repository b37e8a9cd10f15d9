package federation

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// network is what is between servers: each has a front that others reach it by, and what they ask of it may get
// lost, be late, come twice or in another order. It is safe for concurrent use.
type network struct {
	mu  sync.Mutex
	rnd *rand.Rand
	// calm means that nothing goes wrong.
	calm bool
	// cut are pairs of servers that don't reach each other.
	cut map[[2]string]bool
	// happened counts what went wrong.
	happened map[string]int
}

func newNetwork(seed uint64) *network {
	return &network{rnd: rand.New(rand.NewPCG(seed, 1)), cut: map[[2]string]bool{}, happened: map[string]int{}}
}

// fault is what happens to a request.
type fault struct {
	cut, lost, deaf, twice bool // deaf: it arrives, but its answer doesn't
	late                   time.Duration
}

func (n *network) fault(from, to string) (f fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calm {
		return f
	}
	switch p := n.rnd.Float64(); {
	case n.cut[[2]string{from, to}]:
		f.cut = true
		n.happened["cut"]++
	case p < 0.03:
		f.lost = true
		n.happened["lost"]++
	case p < 0.06:
		f.deaf = true
		n.happened["deaf"]++
	case p < 0.16:
		f.twice = true
		n.happened["twice"]++
	}
	if n.rnd.Float64() < 0.2 {
		f.late = time.Duration(n.rnd.IntN(150)) * time.Millisecond
		n.happened["late"]++
	}
	return f
}

// part cuts two servers off from each other, or joins them again.
func (n *network) part(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = cut, cut
}

// heal ends all that goes wrong, and tells what did.
func (n *network) heal() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calm = true
	return maps.Clone(n.happened)
}

var originOf = regexp.MustCompile(`origin="?([^",]+)`)

// front serves a server's address for others; to gives the address where the server itself is.
func (n *network) front(t *testing.T, a *authority, name string, to func() string) {
	cert, key := a.certify(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	ok(t, err)
	l, err := net.Listen("tcp", name)
	ok(t, err)
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	forward := func(r *http.Request, body []byte) (*http.Response, error) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, to()+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header = r.Header.Clone()
		return tr.RoundTrip(req)
	}
	srv := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := ""
		if found := originOf.FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
			from = found[1]
		}
		f := n.fault(from, name)
		body, err := io.ReadAll(r.Body)
		if err != nil || f.cut || f.lost {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-time.After(f.late):
		case <-r.Context().Done():
			return
		}
		// What comes twice is what comes more than once by itself: questions are only asked again.
		if f.twice && (r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/send/")) {
			if res, err := forward(r, body); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}
		res, err := forward(r, body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		if f.deaf {
			_, _ = io.Copy(io.Discard, res.Body)
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), res.Header)
		w.WriteHeader(res.StatusCode)
		if _, err := io.Copy(w, res.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})}
	var done sync.WaitGroup
	done.Go(func() { _ = srv.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})) })
	t.Cleanup(func() {
		srv.Close()
		done.Wait()
		tr.CloseIdleConnections()
	})
}

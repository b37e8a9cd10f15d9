package appservices

import (
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landbridge-im/landbridge/registration"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// startPut has a transaction on its way to a service of which take decides whether it is there. What it
// returns has been closed when the transaction was taken.
func startPut(t *testing.T, take func() bool) (*sender, <-chan struct{}) {
	d := &sender{s: &Services{o: Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, TransactionTimeout: txnTimeout}},
		reg: &registration.Registration{ID: "b", HSToken: "hs-token"}, base: "http://b", heard: make(chan struct{}),
		http: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			if !take() {
				return nil, errors.New("connection refused")
			}
			return answer(http.StatusOK), nil
		})}}
	d.s.senders = map[string]*sender{"b": d}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.put(t.Context(), &transaction{id: "1", raw: []byte("{}")}); err != nil {
			t.Error(err)
		}
	}()
	return d, done
}

// TestHeard: a service that was away for long is waited for no longer when it is heard of.
func TestHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		d, done := startPut(t, up.Load)
		time.Sleep(time.Hour)
		began := time.Now()
		d.s.Heard("b") // it asks something before it listens, as most do
		time.Sleep(2 * time.Second)
		up.Store(true)
		<-done
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("tried %v after it was heard of", took)
		}
	})
}

// TestHeardOften: a service that asks much and takes nothing is not called for each of its requests.
func TestHeardOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int64
		var up atomic.Bool
		d, done := startPut(t, func() bool { tries.Add(1); return up.Load() })
		for range 6000 {
			d.s.Heard("b")
			time.Sleep(10 * time.Millisecond)
		}
		if n := tries.Load(); n > 150 {
			t.Errorf("%d tries in a minute", n)
		}
		up.Store(true)
		d.s.Heard("b")
		<-done
		d.s.Heard("b")
		d.s.Heard("nobody")
	})
}

package crash

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// A source makes traffic while the server is killed again and again.
type source interface {
	// prepare is called once, before the first crash.
	prepare(ctx context.Context, s *testserver.Server) error
	// run makes traffic until ctx ends. The server will go away meanwhile; an error is one that
	// has nothing to do with that.
	run(ctx context.Context, rng *rand.Rand) error
	// settle is called when the server is there again after a crash, with no traffic: it does
	// again what had no answer, and checks.
	settle(ctx context.Context) error
	// finish is called after the last crash, for checks of the whole.
	finish(ctx context.Context) error
}

// gone tells whether a request failed because the server went away, not because it refused.
func gone(err error) bool {
	var refused *client.Error
	return err != nil && !errors.As(err, &refused)
}

// runAll lets all sources work for a while, then does what ends it, and gives what went wrong.
func runAll(ctx context.Context, all []source, seed uint64, d time.Duration, end func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(all)+1)
	for i, s := range all {
		wg.Go(func() { errs[i] = s.run(ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	errs[len(all)] = end()
	cancel()
	wg.Wait()
	return errors.Join(errs...)
}

// each does something for every source.
func each(all []source, do func(source) error) error {
	for _, s := range all {
		if err := do(s); err != nil {
			return err
		}
	}
	return nil
}

package background

import (
	"context"
	"errors"
	"testing"
)

func TestGroup(t *testing.T) {
	t.Parallel()
	g := New()
	type key struct{}
	request, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	ctx, done, err := g.Begin(request)
	if err != nil || ctx.Value(key{}) != "value" {
		t.Fatalf("%v, %v", ctx, err)
	}
	cancel()
	if ctx.Err() != nil {
		t.Error("the work ended with its request")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		done()
	}()
	g.Close()
	select {
	case <-ended:
	default:
		t.Error("Close did not wait")
	}
	if _, _, err := g.Begin(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	g.Close()
}

package appservices

import (
	"context"
	"sync"
	"time"
)

// How long it is remembered what a service said of its protocols: services should not be asked by every
// client that opens a directory, and a service that is away for a while keeps its place in it.
const (
	protocolFresh = time.Minute
	protocolKept  = time.Hour
	protocolsMax  = 100
)

// protocols remembers what a service said of each of its protocols. It is safe for concurrent use.
type protocols struct {
	mu   sync.Mutex
	said map[string]description
}

type description struct {
	Protocol
	at time.Time
}

// get gives what was said a short while ago, or asks; and if that fails, what was said before that. It is
// nil if there is nothing.
func (p *protocols) get(ctx context.Context, name string, now func() time.Time, ask func(context.Context) (Protocol, error)) Protocol {
	p.mu.Lock()
	d, ok := p.said[name]
	p.mu.Unlock()
	if ok && now().Sub(d.at) < protocolFresh {
		return d.Protocol
	}
	fresh, err := ask(ctx)
	if err != nil {
		if ok && now().Sub(d.at) < protocolKept {
			return d.Protocol
		}
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.said == nil || len(p.said) >= protocolsMax {
		p.said = map[string]description{}
	}
	p.said[name] = description{fresh, now()}
	return fresh
}

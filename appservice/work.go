package appservice

import "sync"

// Work is a sync.WaitGroup of a module's goroutines, a panic in which has the bridge fail and start anew: they are started by
// Env.Go. It must not be copied once it is used.
type Work struct {
	sync.WaitGroup
	// By starts a goroutine, as Env.Go does; nil: plainly.
	By func(f func())
}

// Go has f run in a goroutine, and Wait wait for it.
func (w *Work) Go(f func()) {
	w.Add(1)
	Spawn(w.By, func() {
		defer w.Done()
		f()
	})
}

// Spawn starts a goroutine by Env.Go, or plainly if that is nil, as in a module's own tests.
func Spawn(by func(f func()), f func()) {
	if by == nil {
		go f()
		return
	}
	by(f)
}

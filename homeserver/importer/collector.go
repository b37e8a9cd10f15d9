package importer

import (
	"runtime/debug"
	"sync"
	"time"
)

const (
	// collectUsual is how much the heap grows, in percent, before garbage is collected, unless somebody has set it otherwise; while an
	// import runs it is collectLess. What an import makes is garbage soon, and a tenth of its time went into collecting it.
	collectUsual, collectLess = 100, 160
	// collectRest is how long after the last batch it is as usual again.
	collectRest = 10 * time.Second
)

// collector sees to it that garbage is collected less often while batches are worked on.
type collector struct {
	mu    sync.Mutex
	busy  int
	less  bool
	until *time.Timer
}

// begin tells that a batch is begun, and end that it is done.
func (c *collector) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy++; c.until != nil {
		c.until.Stop()
		c.until = nil
	}
	if c.less {
		return
	}
	if was := debug.SetGCPercent(collectLess); was != collectUsual {
		debug.SetGCPercent(was) // whoever has set it knows better
		return
	}
	c.less = true
}

func (c *collector) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy--; c.busy == 0 && c.less {
		c.until = time.AfterFunc(collectRest, c.usual)
	}
}

// usual ends it.
func (c *collector) usual() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == 0 && c.less {
		debug.SetGCPercent(collectUsual)
		c.less = false
	}
}
